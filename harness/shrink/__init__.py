"""Making a failing saga smaller: which ones to try, and in what order. Nothing here drives them."""
