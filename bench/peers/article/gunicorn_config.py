# The article's own.
workers = 4
worker_class = "sync"
timeout = 120
keepalive = 5
loglevel = "warning"
