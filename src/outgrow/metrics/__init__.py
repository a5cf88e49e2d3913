"""What is counted from predictions: recovery, agreement, and how sure one can be. Numpy in, numbers out."""
