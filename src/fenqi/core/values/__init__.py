"""The smallest words: money, rate, day, ids. Everything above is written with them."""
