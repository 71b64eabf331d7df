"""`sentiment-service serve` with the waiting times of connections cut short, so that tests see their end."""

import os
import sys

from sentiment_service.__main__ import main
from sentiment_service.api import connections

connections.HEAD_SECONDS = 1.5
connections.STALL_SECONDS = 2.0
connections.CLOSE_SECONDS = 1.0
connections.MAX_CONNECTIONS = int(os.environ.get("TEST_MAX_CONNECTIONS", connections.MAX_CONNECTIONS))

if __name__ == "__main__":
    sys.exit(main())
