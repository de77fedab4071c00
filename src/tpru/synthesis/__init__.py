"""From sequences to items: captions, the three tasks, negatives, splits and the leak check."""
