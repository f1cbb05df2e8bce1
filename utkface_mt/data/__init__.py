"""From an archive to batches: fetch, index, duplicates, split, pixels, augmentation, batches."""
