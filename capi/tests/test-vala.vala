/* What the classes do from Vala: its `yield`, its errors, its classes. Says what it does as the tests in C do. */

int number;
MainLoop loop;

/* A test that hangs is ended. */
const uint LIMIT_SECONDS = 60;

/* A service of which no server is asked: a label of the DNS has 63 bytes at most. */
const string NO_SERVICE = "a-service-of-a-name-that-is-longer-than-anything-in-the-dns-can-be";

void passed (string name) {
    number++;
    print ("ok %d %s\n", number, name);
}

void check (bool holds, string what) {
    if (!holds) {
        print ("not ok: %s\n", what);
        Posix.exit (1);
    }
}

/* Counts what comes by, and hands it on; with a property and a stream of its own. */
class Own : Gsock.TcpConnection {
    public static int connects;
    public static int closes;
    public string label { get; set; default = "new"; }
    InputStream? buffered = null;

    public Own (Socket socket) {
        Object (socket: socket);
    }

    public override bool connect (SocketAddress address, Cancellable? cancellable = null) throws Error {
        connects++;
        return base.connect (address, cancellable);
    }

    public override async bool connect_async (SocketAddress address, Cancellable? cancellable = null) throws Error {
        connects += 10;
        return yield base.connect_async (address, cancellable);
    }

    public override bool close (Cancellable? cancellable = null) throws IOError {
        closes++;
        return base.close (cancellable);
    }

    public override unowned InputStream get_input_stream () {
        if (buffered == null)
            buffered = new BufferedInputStream (base.get_input_stream ());
        return buffered;
    }
}

/* Sends one line to each that comes. */
class Greeter : Gsock.SocketService {
    public override bool incoming (Gsock.SocketConnection connection, Object? source) {
        greet.begin (connection);
        return true;
    }

    async void greet (Gsock.SocketConnection connection) {
        try {
            yield connection.output_stream.write_all_async ("welcome\n".data, Priority.DEFAULT, null, null);
            yield connection.close_async ();
        } catch (Error error) {
            check (false, error.message);
        }
    }
}

class ThreadedGreeter : Gsock.ThreadedSocketService {
    public ThreadedGreeter () {
        Object (max_threads: 2);
    }

    public override bool run (Gsock.SocketConnection connection, Object? source) {
        try {
            connection.output_stream.write_all ("welcome\n".data, null);
            connection.close ();
        } catch (Error error) {
            check (false, error.message);
        }
        return true;
    }
}

class Holder : Object {
    public Gsock.ConnectionState state { get; set; }
    public bool alive { get; set; }
    public string text { get; set; }
    public Socket socket { get; set; }
}

class Stream : Object {
    public IOStream? io_stream { get; set; }
}

Socket tcp_socket () throws Error {
    return new Socket (SocketFamily.IPV4, SocketType.STREAM, SocketProtocol.DEFAULT);
}

Gsock.SocketConnection unconnected () throws Error {
    return Gsock.SocketConnection.factory_create_connection (tcp_socket ());
}

SocketAddress loopback (uint16 port) {
    return new InetSocketAddress (new InetAddress.loopback (SocketFamily.IPV4), port);
}

/* Nobody listens there any more. */
SocketAddress deserted () throws Error {
    var listener = new Gsock.SocketListener ();
    var address = loopback (listener.add_any_inet_port (null));
    listener.close ();
    return address;
}

/* All that comes until the end. */
async string read_to_end (InputStream stream) throws Error {
    var text = new StringBuilder ();
    while (true) {
        var bytes = yield stream.read_bytes_async (1024);
        if (bytes.length == 0)
            return text.str;
        text.append_len ((string) bytes.get_data (), (ssize_t) bytes.length);
    }
}

void test_connect () throws Error {
    var listener = new Gsock.SocketListener ();
    var address = loopback (listener.add_any_inet_port (null));
    var connection = unconnected ();
    check (!connection.is_connected (), "a connection that is not connected");
    check (connection.connect (address), "connect answers");
    check (connection.is_connected () && connection is Gsock.TcpConnection, "a connection of TCP");
    var other = listener.accept ();
    connection.output_stream.write ("x".data);
    uint8 buffer[4];
    check (other.input_stream.read (buffer) == 1 && buffer[0] == 'x', "a byte comes through");
    listener.close ();
    passed ("connect");
}

async void test_connect_async () throws Error {
    var listener = new Gsock.SocketListener ();
    var address = loopback (listener.add_any_inet_port (null));
    var connection = unconnected ();
    check (yield connection.connect_async (address), "connect answers");
    var other = yield listener.accept_async ();
    yield connection.output_stream.write_all_async ("hello".data, Priority.DEFAULT, null, null);
    yield connection.close_async ();
    check ((yield read_to_end (other.input_stream)) == "hello", "what was sent comes through");
    listener.close ();
    passed ("connect_async");
}

async void test_refused () throws Error {
    var address = deserted ();
    try {
        unconnected ().connect (address);
        check (false, "refused");
    } catch (IOError.CONNECTION_REFUSED error) {
        passed ("refused");
    }
    var connection = unconnected ();
    try {
        yield connection.connect_async (address);
        check (false, "refused");
    } catch (IOError.CONNECTION_REFUSED error) {
        check (connection.get_last_error ().matches (Quark.from_string ("g-io-error-quark"), IOError.CONNECTION_REFUSED),
               "the last error is that");
        passed ("refused asynchronously");
    }
}

async void test_cancelled () throws Error {
    var cancellable = new Cancellable ();
    var listener = new Gsock.SocketListener ();
    var address = loopback (listener.add_any_inet_port (null));
    Idle.add (() => {
        cancellable.cancel ();
        return Source.REMOVE;
    });
    try {
        yield listener.accept_async (cancellable, null);
        check (false, "cancelled");
    } catch (IOError.CANCELLED error) {
        passed ("an accept that is cancelled");
    }
    try {
        unconnected ().connect (address, cancellable);
        check (false, "cancelled");
    } catch (IOError.CANCELLED error) {
        passed ("a connect that is cancelled");
    }
    try {
        yield unconnected ().connect_async (address, cancellable);
        check (false, "cancelled");
    } catch (IOError.CANCELLED error) {
        passed ("a connect_async that is cancelled");
    }
    listener.close ();
}

async void test_timeout () throws Error {
    var listener = new Gsock.SocketListener ();
    var address = loopback (listener.add_any_inet_port (null));
    var client = new Gsock.SocketClient ();
    client.io_timeout_ms = 50;
    var connection = yield client.connect_async (address);
    try {
        yield connection.input_stream.read_bytes_async (1);
        check (false, "timed out");
    } catch (IOError.TIMED_OUT error) {
        passed ("nothing to read in time");
    }
    try {
        connection.input_stream.read_bytes (1);
        check (false, "timed out");
    } catch (IOError.TIMED_OUT error) {
    }
    /* The handshake of TLS is a part of connecting; nobody answers it. */
    client = new Gsock.SocketClient () { connect_timeout_ms = 50, tls = true };
    try {
        yield client.connect_async (address);
        check (false, "timed out");
    } catch (IOError.TIMED_OUT error) {
        passed ("no connection in time");
    }
    try {
        client.connect (address);
        check (false, "timed out");
    } catch (IOError.TIMED_OUT error) {
    }
    listener.close ();
}

async void test_addresses () throws Error {
    var listener = new Gsock.SocketListener ();
    var port = listener.add_any_inet_port (null);
    var connection = unconnected ();
    check (connection.remote_address == null, "no peer yet");
    try {
        connection.get_remote_address ();
        check (false, "no peer yet");
    } catch (IOError.NOT_CONNECTED error) {
    }
    yield connection.connect_async (loopback (port));
    var other = yield listener.accept_async ();
    check (((InetSocketAddress) connection.get_remote_address ()).port == port, "the peer's address");
    check (((InetSocketAddress) connection.get_local_address ()).port ==
           ((InetSocketAddress) other.remote_address).port, "one's own address is what the peer sees");
    yield connection.close_async ();
    check (((InetSocketAddress) connection.remote_address).port == port, "the address stays after a close");
    listener.close ();
    passed ("addresses");
}

async void test_notify_and_binding () throws Error {
    var listener = new Gsock.SocketListener ();
    var address = loopback (listener.add_any_inet_port (null));
    var connection = unconnected ();
    Gsock.ConnectionState[] states = {};
    connection.notify["state"].connect (() => { states += connection.state; });
    var holder = new Holder ();
    connection.bind_property ("state", holder, "state", BindingFlags.SYNC_CREATE);
    connection.bind_property ("alive", holder, "alive", BindingFlags.SYNC_CREATE);
    check (holder.state == Gsock.ConnectionState.UNCONNECTED && !holder.alive, "bound from the beginning");
    yield connection.connect_async (address);
    check (holder.state == Gsock.ConnectionState.CONNECTED && holder.alive, "bound: connected");
    var other = yield listener.accept_async ();
    yield other.close_async ();
    while (holder.state != Gsock.ConnectionState.DISCONNECTED)
        MainContext.default ().iteration (true);
    check (!holder.alive, "the peer is gone");
    yield connection.close_async ();
    check (holder.state == Gsock.ConnectionState.CLOSED, "bound: closed");
    check (states.length == 4 && states[0] == Gsock.ConnectionState.CONNECTING, "each state is notified");
    listener.close ();
    passed ("notify and bindings");
}

void test_socket_is_bound () throws Error {
    var connection = unconnected ();
    var holder = new Holder ();
    connection.bind_property ("socket", holder, "socket", BindingFlags.SYNC_CREATE | BindingFlags.BIDIRECTIONAL);
    check (holder.socket == connection.get_socket (), "bound from the beginning");
    var another = tcp_socket ();
    check (connection.set_socket (another) && holder.socket == another, "to the other object");
    holder.socket = tcp_socket ();
    check (connection.get_socket () == holder.socket, "and from it");
    passed ("a socket is bound");
}

async void test_subclass_and_factory () throws Error {
    var listener = new Gsock.SocketListener ();
    SocketAddress address;
    /* Of any port it would be an IPv6 socket, which takes both. */
    listener.add_address (loopback (0), SocketType.STREAM, SocketProtocol.DEFAULT, null, out address);
    Own.connects = 0;
    var connection = new Own (tcp_socket ());
    check (connection.connect (address), "the class of one's own connects");
    check (yield new Own (tcp_socket ()).connect_async (address), "and asynchronously");
    check (Own.connects == 11, "both came by the class of one's own");
    passed ("a class of one's own");

    yield listener.accept_async ();
    yield listener.accept_async ();
    Gsock.SocketConnection.factory_register_type (typeof (Own), SocketFamily.IPV4, SocketType.STREAM, 0);
    check (Gsock.SocketConnection.factory_lookup_type (SocketFamily.IPV4, SocketType.STREAM, 0) == typeof (Own),
           "the factory has it");
    var client = new Gsock.SocketClient ();
    var made = yield client.connect_async (address);
    check (made is Own, "the client makes the class of one's own");
    var accepted = yield listener.accept_async ();
    check (accepted is Own, "the listener too");
    Gsock.SocketConnection.factory_register_type (typeof (Gsock.TcpConnection), SocketFamily.IPV4, SocketType.STREAM, 0);
    passed ("the factory");

    Own.closes = 0;
    Gsock.SocketConnection.factory_register_type (typeof (Own), SocketFamily.IPV4, SocketType.STREAM, 0);
    Gsock.SocketConnection[] all = { client.connect (address), yield client.connect_async (address),
                                     listener.accept (), yield listener.accept_async () };
    foreach (var one in all) {
        var own = one as Own;
        check (own != null && own.label == "new", "of the class of one's own");
        var holder = new Holder ();
        own.bind_property ("label", holder, "text");
        own.label = "used";
        check (holder.text == "used", "its property is notified");
        check (own.get_input_stream () is BufferedInputStream, "its stream");
        own.close ();
    }
    check (Own.closes == 4, "its close");
    Gsock.SocketConnection.factory_register_type (typeof (Gsock.TcpConnection), SocketFamily.IPV4, SocketType.STREAM, 0);
    listener.close ();
    passed ("what others make of a class of one's own");
}

async void test_client_to_host () throws Error {
    var listener = new Gsock.SocketListener ();
    var port = listener.add_any_inet_port (null);
    var client = new Gsock.SocketClient ();
    SocketClientEvent[] events = {};
    client.event.connect ((event) => { events += event; });
    var connection = yield client.connect_to_host_async ("127.0.0.1", port);
    check (connection.is_connected (), "connected");
    check (events[events.length - 1] == SocketClientEvent.COMPLETE, "the last event says so");
    check (client.connect_to_host ("localhost:%u".printf (port), 0).is_connected (), "connected by name, blocking");
    var uri = "some://127.0.0.1:%u".printf (port);
    check (client.connect_to_uri (uri, 0).is_connected (), "to a URI");
    check ((yield client.connect_to_uri_async (uri, 0)).is_connected (), "and later");
    try {
        client.connect_to_service ("localhost", NO_SERVICE);
        check (false, "no such service");
    } catch (ResolverError error) {
    }
    try {
        yield client.connect_to_service_async ("localhost", NO_SERVICE);
        check (false, "no such service");
    } catch (ResolverError error) {
    }
    var report = connection.get_connect_report ();
    check (report.get_n_attempts () == 1 && report.get_error () == null, "it took one attempt");
    var copy = report.copy ();
    report = null;
    check (copy.get_attempt_address (0) != null, "a copy of the report");
    listener.close ();
    passed ("the client connects to a host");
}

async void test_listener () throws Error {
    var listener = new Gsock.SocketListener ();
    var source = new Object ();
    SocketAddress effective;
    listener.add_address (loopback (0), SocketType.STREAM, SocketProtocol.TCP, source, out effective);
    check (listener.get_addresses ().length () == 1, "one address");
    yield new Gsock.SocketClient ().connect_async (effective);
    unowned Object came_by;
    yield listener.accept_async (null, out came_by);
    check (came_by == source, "the source of what is accepted");
    new Gsock.SocketClient ().connect (effective);
    listener.accept (out came_by);
    check (came_by == source, "the source of what is accepted, blocking");
    new Gsock.SocketClient ().connect (effective);
    check (listener.accept_socket (out came_by).is_connected (), "as a socket");
    new Gsock.SocketClient ().connect (effective);
    check ((yield listener.accept_socket_async (null, out came_by)).is_connected (), "and later");
    listener.close ();
    passed ("the listener accepts");
}

async void test_service () throws Error {
    var client = new Gsock.SocketClient ();
    foreach (var service in new Gsock.SocketService[] { new Greeter (), new ThreadedGreeter () }) {
        var port = service.add_any_inet_port (null);
        int signals = 0;
        /* A handler that leaves it to the class, which has the last word. */
        if (service is Greeter)
            service.incoming.connect ((connection, source) => {
                signals++;
                return false;
            });
        var connection = yield client.connect_to_host_async ("127.0.0.1", port);
        check ((yield read_to_end (connection.input_stream)) == "welcome\n", "the service greets");
        check (signals == ((service is Greeter) ? 1 : 0), "the signal");
        yield service.drain_async ();
        check (!service.is_active (), "drained");
        service.close ();
        passed ("%s takes what comes in".printf (service.get_type ().name ()));
    }
}

async void test_descriptors () throws Error {
    var folder = DirUtils.make_tmp ("gsock-vala-XXXXXX");
    var path = Path.build_filename (folder, "socket");
    var listener = new Gsock.SocketListener ();
    listener.add_unix_path (path, 0600, Gsock.UnixPathFlags.NONE, null);
    var here = (Gsock.UnixConnection) yield new Gsock.SocketClient ().connect_async (
        (SocketConnectable) listener.get_addresses ().data);
    var there = (Gsock.UnixConnection) yield listener.accept_async ();
    int pipe[2];
    check (Posix.pipe (pipe) == 0, "a pipe");
    yield here.send_fd_async (pipe[0]);
    int got = yield there.receive_fd_async ();
    check (Posix.write (pipe[1], "x", 1) == 1, "written");
    char letter[1];
    check (Posix.read (got, letter, 1) == 1 && letter[0] == 'x', "the descriptor that came is of the same pipe");
    int[] both = { got, pipe[1] };
    here.send_fds (both);
    check (there.receive_fds (4).length == 2, "two descriptors at once");
    yield here.send_fds_async ({ pipe[0] });
    foreach (int fd in yield there.receive_fds_async (4))
        check (Posix.close (fd) == 0, "one of several");
    here.send_fd (pipe[0]);
    check (Posix.close (there.receive_fd ()) == 0, "blocking");
    check (there.get_peer_credentials ().get_unix_pid () == Posix.getpid (), "the peer is this process");
    here.send_credentials ();
    check (there.receive_credentials ().get_unix_user () == Posix.getuid (), "mine");
    yield here.send_credentials_async ();
    check ((yield there.receive_credentials_async ()).get_unix_user () == Posix.getuid (), "mine, and later");
    Posix.close (pipe[0]);
    Posix.close (pipe[1]);
    Posix.close (got);
    listener.close ();
    check (DirUtils.remove (folder) == 0, "the path is gone with the listener");
    passed ("descriptors");
}

async void test_relay () throws Error {
    var listener = new Gsock.SocketListener ();
    var address = loopback (listener.add_any_inet_port (null));
    var client = new Gsock.SocketClient ();
    var left = yield client.connect_async (address);
    var left_inside = yield listener.accept_async ();
    var right = yield client.connect_async (address);
    var right_inside = yield listener.accept_async ();
    uint64 to_right = 0, to_left = 1;
    bool ended = false;
    left_inside.relay_async.begin (right_inside, null, (source, result) => {
        try {
            left_inside.relay_async.end (result, out to_right, out to_left);
        } catch (Error error) {
            check (false, error.message);
        }
        ended = true;
    });
    yield left.output_stream.write_all_async ("hello".data, Priority.DEFAULT, null, null);
    yield left.close_async ();
    check ((yield read_to_end (right.input_stream)) == "hello", "through the relay");
    yield right.close_async ();
    while (!ended)
        MainContext.default ().iteration (true);
    check (to_right == 5 && to_left == 0, "what went where");
    listener.close ();
    passed ("relay");
}

Bytes text (string of) {
    return new Bytes (of.data);
}

bool says (Bytes? frame, string of) {
    return frame != null && frame.compare (text (of)) == 0;
}

/* Both ends of a connection, with frames. */
void framed_pair (out Gsock.Framed here, out Gsock.Framed there) throws Error {
    int fds[2];
    check (Posix.socketpair (Posix.AF_UNIX, Posix.SOCK_STREAM, 0, fds) == 0, "a pair of sockets");
    here = new Gsock.Framed (Gsock.SocketConnection.factory_create_connection_from_fd (fds[0]), Gsock.Framing.LINES);
    there = new Gsock.Framed (Gsock.SocketConnection.factory_create_connection_from_fd (fds[1]), Gsock.Framing.LINES);
}

async void test_frames () throws Error {
    Gsock.Framed here, there;
    framed_pair (out here, out there);
    here.send (text ("sent"));
    check (here.pending_frames == 1 && here.pending_bytes == 5, "in the queue");
    here.flush ();
    check (here.write_frame (text ("written")), "written");
    check (says (there.read_frame (), "sent") && says (there.read_frame (), "written"), "they come in their order");
    yield here.write_frame_async (text ("later"));
    check (says (yield there.read_frame_async (), "later"), "and later");
    passed ("frames");

    here.send (text ("3"));
    here.send_exact (text ("a\nb"));
    here.send (text ("4"));
    here.send_exact (text ("c\nde"));
    yield here.flush_async ();
    check (says (there.read_frame (), "3") && says (there.read_exact (3), "a\nb"), "between two lines");
    check (says (there.read_frame (), "4") && says (yield there.read_exact_async (3), "c\nd"), "and later");
    check (says (there.take_buffered (), "e"), "what is left");
    there.read_ahead = false;
    here.send_with_fds (text ("a descriptor"), { Posix.STDOUT_FILENO });
    here.flush ();
    check (says (there.read_frame (), "a descriptor"), "the frame that a descriptor goes with");
    check (Posix.close (((Gsock.UnixConnection) there.io_stream).receive_fd ()) == 0, "the descriptor");
    passed ("bytes and descriptors between frames");

    var cancellable = new Cancellable ();
    Idle.add (() => {
        cancellable.cancel ();
        return Source.REMOVE;
    });
    try {
        yield there.read_frame_async (cancellable);
        check (false, "cancelled");
    } catch (IOError.CANCELLED error) {
    }
    try {
        here.send (text ("two\nlines"));
        check (false, "not a line");
    } catch (IOError.INVALID_DATA error) {
    }
    yield here.close_async ();
    check ((yield there.read_frame_async ()) == null && there.read_frame () == null, "the end");
    passed ("frames end");
}

async void test_queue_of_frames () throws Error {
    Gsock.Framed here, there;
    framed_pair (out here, out there);
    string told = "";
    here.notify["congested"].connect (() => { told += here.congested ? "congested " : "free "; });
    here.drained.connect (() => { told += "drained "; });
    here.error.connect ((error) => {
        check (error.matches (Quark.from_string ("g-io-error-quark"), IOError.BROKEN_PIPE), "nobody reads");
        told += "failed ";
    });
    here.high_water = 3;
    here.keep_queue = true;
    var stream = here.io_stream;
    here.io_stream = null;
    here.send (text ("more"));
    while (told != "congested ")
        MainContext.default ().iteration (true);
    here.io_stream = stream;
    while (told != "congested free drained ")
        MainContext.default ().iteration (true);
    there.close ();
    here.send (text ("x"));
    while (told != "congested free drained failed ")
        MainContext.default ().iteration (true);
    check (here.get_last_error () != null && here.pending_frames == 1, "it is kept");
    passed ("the queue of frames");
}

Gsock.Reconnector reconnector_to (SocketAddress address) {
    return new Gsock.Reconnector (new Gsock.SocketClient () { enable_proxy = false }, address) {
        initial_delay_ms = 5,
        max_delay_ms = 20
    };
}

async void test_connects_again () throws Error {
    var listener = new Gsock.SocketListener ();
    var reconnector = reconnector_to (loopback (listener.add_any_inet_port (null)));
    var begun = new Array<uint> ();
    int losses = 0, connects = 0;
    /* As a property it is in the way of the signal of that name. */
    reconnector.attempt_begun.connect ((number) => { begun.append_val (number); });
    reconnector.connected.connect ((stream) => { connects++; });
    reconnector.disconnected.connect ((error) => { losses++; });
    var bound = new Stream ();
    reconnector.bind_property ("io-stream", bound, "io-stream", BindingFlags.SYNC_CREATE);
    reconnector.start ();
    var stream = yield reconnector.wait_connected_async ();
    check (stream == reconnector.connection && stream == bound.io_stream, "the stream is the connection");
    var holder = new Holder ();
    reconnector.connection.bind_property ("alive", holder, "alive", BindingFlags.SYNC_CREATE);
    for (int round = 1; round < 3; round++) {
        var other = yield listener.accept_async ();
        check (holder.alive && losses == round - 1, "bound: connected");
        yield other.close_async ();
        while (losses < round)
            MainContext.default ().iteration (true);
        check ((yield reconnector.wait_connected_async ()) == stream, "one object for all sockets");
    }
    check (reconnector.attempt == 3 && begun.length == 3 && begun.index (2) == 3 && connects == 3, "each is told of");
    reconnector.stop ();
    check (reconnector.state == Gsock.ReconnectorState.STOPPED && !holder.alive, "stopped");
    check (reconnector.wait_connected () == stream, "the wait starts it, blocking");
    reconnector.stop ();
    listener.close ();
    passed ("connects again");
}

async void test_gives_up () throws Error {
    var reconnector = reconnector_to (deserted ());
    reconnector.max_attempts = 2;
    int failed = 0, given_up = 0;
    reconnector.attempt_failed.connect ((number, error, delay) => {
        check (error.matches (Quark.from_string ("g-io-error-quark"), IOError.CONNECTION_REFUSED), "refused");
        check (number == ++failed && (delay == 0) == (number == 2), "the delay");
    });
    reconnector.given_up.connect ((error) => { given_up++; });
    try {
        yield reconnector.wait_connected_async ();
        check (false, "refused");
    } catch (IOError.CONNECTION_REFUSED error) {
        check (failed == 2 && given_up == 1 && reconnector.state == Gsock.ReconnectorState.GIVEN_UP, "it gives up");
    }
    var cancellable = new Cancellable ();
    cancellable.cancel ();
    try {
        yield reconnector_to (deserted ()).wait_connected_async (cancellable);
        check (false, "cancelled");
    } catch (IOError.CANCELLED error) {
    }
    passed ("gives up");
}

/* What is sent while there is no connection goes over the next one. */
async void test_frames_over_each_connection () throws Error {
    var listener = new Gsock.SocketListener ();
    var reconnector = reconnector_to (loopback (listener.add_any_inet_port (null)));
    var framed = new Gsock.Framed (null, Gsock.Framing.LINES) { keep_queue = true };
    reconnector.bind_property ("io-stream", framed, "io-stream", BindingFlags.SYNC_CREATE);
    int losses = 0;
    reconnector.disconnected.connect (() => {
        losses++;
        try {
            framed.send (text ("meanwhile"));
        } catch (Error error) {
            check (false, error.message);
        }
    });
    framed.send (text ("before"));
    reconnector.start ();
    string[] expected = { "before", "meanwhile", "meanwhile" };
    for (int round = 0; round < 3; round++) {
        var other = new Gsock.Framed (yield listener.accept_async (), Gsock.Framing.LINES);
        check (says (yield other.read_frame_async (), expected[round]), expected[round]);
        yield other.close_async ();
        while (losses == round)
            MainContext.default ().iteration (true);
    }
    reconnector.stop ();
    listener.close ();
    passed ("frames over each connection");
}

async void all () {
    try {
        test_connect ();
        yield test_connect_async ();
        yield test_refused ();
        yield test_cancelled ();
        yield test_timeout ();
        yield test_addresses ();
        yield test_notify_and_binding ();
        test_socket_is_bound ();
        yield test_subclass_and_factory ();
        yield test_client_to_host ();
        yield test_listener ();
        yield test_service ();
        yield test_descriptors ();
        yield test_relay ();
        yield test_frames ();
        yield test_queue_of_frames ();
        yield test_connects_again ();
        yield test_gives_up ();
        yield test_frames_over_each_connection ();
        print ("1..%d\n", number);
    } catch (Error error) {
        check (false, error.message);
    }
    loop.quit ();
}

int main () {
    Timeout.add_seconds (LIMIT_SECONDS, () => {
        check (false, "it hangs after test %d".printf (number));
        return Source.REMOVE;
    });
    loop = new MainLoop ();
    all.begin ();
    loop.run ();
    return 0;
}
