"""`sentiment-service serve` with the waiting times of connections cut short, so that tests see their end."""

import sys

from sentiment_service.__main__ import main
from sentiment_service.api import connections

connections.HEAD_SECONDS = 1.5
connections.STALL_SECONDS = 2.0
connections.CLOSE_SECONDS = 1.0

if __name__ == "__main__":
    sys.exit(main())
