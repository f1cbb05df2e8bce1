"""From a folder, archive or download to batches of pictures: fetch, index, duplicates, split, pixels, batches."""
