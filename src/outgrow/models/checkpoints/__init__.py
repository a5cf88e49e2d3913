"""A checkpoint's name -> its bytes -> a loaded model and its tokens."""
