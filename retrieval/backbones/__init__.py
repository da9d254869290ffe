"""Image to feature maps. One source of networks a file."""
