"""What is to be trained and claimed, and is the file right?"""
