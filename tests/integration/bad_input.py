"""bad_input.py ADMIN_SOCKET AGENTS_PORT ENROLMENT_PORT PID ROUNDS - what strangers may send: noise, broken TLS, frames that
are truncated, oversize or unknown, and messages that do not parse, on each listener. Fails when the process's memory
grows beyond a bound; whether everything still answers the caller asks. The noise is the same in every run."""
import os, random, socket, ssl, struct, sys

ADMIN, AGENTS, ENROLMENT, PID, ROUNDS = sys.argv[1], *(int(a) for a in sys.argv[2:6])
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SERVICES = {
    "AgentService": ["Connect"],
    "EnrolmentService": ["Enrol"],
    "ControllerService": ["GetStatus", "ListAudit"],
    "TrustService": ["GetPolicy", "PublishPolicy"],
    "DeviceService": ["CreateToken", "GetEnrolment", "AdmitDevice", "ListDevices", "GetDevice"],
    "CertificateService": ["ImportCertificate", "ListCertificates", "GetCertificate", "Attach", "Detach", "GetTopology"],
    "PushService": ["PreparePush", "GetOrderCores", "SubmitPush", "Decide", "CancelRequest", "ListRequests", "GetRequest",
                    "ListOrders", "GetOrder"],
}
PATHS = [f"/countersign.v1.{service}/{method}" for service, methods in SERVICES.items() for method in methods]
PATHS += ["/countersign.v1.PushService/Nothing", "/", "//", "/" + "x" * 5000]
rand = random.Random(7)


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    out = b"\x00"
    for text in (name.encode(), value.encode()):
        n = len(text)
        if n < 127:
            out += bytes([n])
        else:  # RFC 7541, section 5.1
            out += b"\x7f"
            n -= 127
            while n >= 128:
                out += bytes([n % 128 + 128])
                n //= 128
            out += bytes([n])
        out += text
    return out


def headers(path):
    return b"".join(literal(*pair) for pair in [(":method", "POST"), (":scheme", "http"), (":path", path),
                                                (":authority", "countersignd"), ("content-type", "application/grpc"),
                                                ("te", "trailers")])


def noise(most):
    return rand.randbytes(rand.randrange(most))


def call(path, body, announced=None):
    """A call whose message has this body, and says that it has the announced length."""
    message = b"\x00" + struct.pack(">I", len(body) if announced is None else announced) + body
    data = [message[i:i + 16000] for i in range(0, len(message), 16000)]
    return (PREFACE + frame(4, 0, 0, b"") + frame(1, 4, 1, headers(path)) +
            b"".join(frame(0, 1 if i == len(data) - 1 else 0, 1, part) for i, part in enumerate(data)))


def varied():
    """One thing that a broken or hostile peer might say."""
    kind = rand.randrange(10)
    if kind == 0:
        return noise(2000)
    if kind == 1:
        return PREFACE[:rand.randrange(len(PREFACE))]
    if kind == 2:
        return PREFACE + b"".join(frame(rand.randrange(256), rand.randrange(256), rand.randrange(5), noise(200))
                                  for _ in range(20))
    if kind == 3:
        return PREFACE + frame(4, 0, 0, b"") + frame(rand.randrange(10), 0, 1, b"\x00" * 70000)
    if kind == 4:
        return call(rand.choice(PATHS), noise(5000))
    if kind == 5:  # well-formed protobuf of the wrong shape
        fields = b"".join(bytes([rand.randrange(1, 30) << 3 | 2 & 7]) + b"\x04abcd" for _ in range(50))
        return call(rand.choice(PATHS), fields)
    if kind == 6:
        return call(rand.choice(PATHS), b"\x0a" + b"\xff" * 9 + b"\x01", rand.choice([0, 1, 5, 2**31, 2**32 - 1]))
    if kind == 7:
        return call(rand.choice(PATHS), b"\x0a\x80\x80\x08" + b"A" * 131072)
    if kind == 8:
        whole = call(rand.choice(PATHS), noise(300))
        return whole[:rand.randrange(len(whole))]
    return PREFACE + frame(4, 0, 0, b"") + frame(1, 0, 1, headers("/x")) + frame(9, 0, 1, b"") * 300


def drain(connection):
    connection.settimeout(0.2)
    try:
        while connection.recv(65536):
            pass
    except OSError:
        pass


def say(connection, what):
    try:
        connection.sendall(what)
        if rand.randrange(3) == 0:
            connection.shutdown(socket.SHUT_WR)
        drain(connection)
    except OSError:
        pass
    finally:
        connection.close()


def admin():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(ADMIN)
    return connection


def tcp(port):
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def tls(port, version=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(tcp(port), server_hostname="countersignd")


def resident_kb():
    with open(f"/proc/{PID}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def attempt(make, what):
    try:
        say(make(), what)
    except OSError:  # refused while connecting: ssl.SSLError is one, too
        pass


def turn():
    attempt(admin, varied())
    attempt(lambda: tls(ENROLMENT), varied())
    attempt(lambda: tls(AGENTS), varied())  # no client certificate
    attempt(lambda: tcp(AGENTS), varied())
    attempt(lambda: tcp(ENROLMENT), b"\x16\x03\x01" + noise(500))
    attempt(lambda: tls(AGENTS, ssl.TLSVersion.TLSv1_2), b"")


for _ in range(10):
    turn()
before = resident_kb()
for _ in range(ROUNDS):
    turn()
grown = resident_kb() - before
print(f"resident memory grew by {grown} KB in {ROUNDS} rounds")
# Sanitizers keep freed memory for a while; a leak of one message a round would still be seen.
sys.exit(grown > 65536 and "the controller's memory is not bounded")
