"""Several HTTP processes over one scheduler: the parent forks them, and they ask it over a socket pair."""
