"""How do results read, and how do they look?"""
