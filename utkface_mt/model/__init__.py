"""The network: backbone, heads, losses, weights, folding, and what it answers."""
