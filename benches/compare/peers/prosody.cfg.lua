-- Prosody as `compare` runs it. Words between @ signs are filled in.
-- What is the same for every server is said in docs/performance.md.

daemonize = false
run_as_root = true
pidfile = "@DIR@/prosody.pid"
data_path = "@DIR@/data"
certificates = "@DIR@/certs"
log = { { levels = { min = "warn" }, to = "console" } }

-- The epoll backend is Prosody's own fast one. A backlog as long as that of the others; small
-- writes leave at once.
network_backend = "epoll"
network_settings = { tcp_backlog = 1024, nagle = false }

-- Not the default, and nearly half of the CPU of the default.
gc = { mode = "generational" }

-- One HTTP port on loopback, nothing else.
http_interfaces = { "127.0.0.1" }
http_ports = { @PORT@ }
https_ports = { }
c2s_ports = { }
c2s_direct_tls_ports = { }
s2s_ports = { }
http_default_host = "localhost"
http_paths = { websocket = "/ws", bosh = "/bosh" }

-- The archive (mam) and the offline storage are not loaded, nor anything that limits rates.
modules_enabled = {
	"roster", "saslauth", "disco", "ping", "carbons", "csi", "smacks", "bosh", "websocket",
}
modules_disabled = { "offline", "s2s", "admin_shell", "admin_socket" }

-- No TLS, and SCRAM-SHA-256 all the same.
c2s_require_encryption = false
consider_websocket_secure = true
consider_bosh_secure = true
authentication = "internal_hashed"
password_hash = "SHA-256"
default_iteration_count = 4096
storage = "internal"

-- Sessions can be resumed for ten minutes, and their queues hold what stanzad's hold.
smacks_hibernation_time = 600
smacks_max_queue_size = 1000

VirtualHost "localhost"
