"""What do the runs come to, and is the claim true?"""
