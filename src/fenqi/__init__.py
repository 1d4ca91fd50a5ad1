"""fenqi: self-hosted software for instalment credit.

The core decides, the flows do, the store remembers, the doors speak. ARCHITECTURE.md has the map.
"""

__version__ = "0.1.0"
