"""How is one network trained, and what is seen of it?"""
