"""Where does a run's result lie, and is it whole?"""
