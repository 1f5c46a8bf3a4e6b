"""How are thousands of runs trained fast, and how does nothing get lost?"""
