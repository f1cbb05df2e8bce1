"""The network: backbone, heads, losses, weights, and the changes made to training pictures."""
