"""Options for a gunicorn that is started by hand in this folder: it uses the front that no slow sender can block."""

worker_class = "app.front.FrontWorker"
threads = 8
workers = 2
keepalive = 15
graceful_timeout = 10
control_socket_disable = True
