// What the classes do from JavaScript, promisified. Says what it does as the tests in C do.

imports.gi.versions.Gsock = '1';
const {Gio, GLib, GObject, Gsock} = imports.gi;
const ByteArray = imports.byteArray;
const System = imports.system;

// A test that hangs is ended.
const LIMIT_SECONDS = 60;

// A service of which no server is asked: a label of the DNS has 63 bytes at most.
const NO_SERVICE = 's'.repeat(64);

for (const [of, names] of [
    [Gsock.SocketConnection, ['connect_async', 'relay_async']],
    [Gsock.SocketClient, ['connect_async', 'connect_to_host_async', 'connect_to_service_async', 'connect_to_uri_async',
        'connect_with_report_async']],
    [Gsock.SocketListener, ['accept_async', 'accept_socket_async']],
    [Gsock.SocketService, ['drain_async']],
    [Gsock.UnixConnection, ['send_fd_async', 'receive_fd_async', 'send_fds_async', 'receive_fds_async',
        'send_credentials_async', 'receive_credentials_async']],
    [Gsock.Framed, ['read_frame_async', 'read_exact_async', 'write_frame_async', 'flush_async', 'close_async']],
    [Gsock.Reconnector, ['wait_connected_async']],
    [Gio.IOStream, ['close_async']],
    [Gio.InputStream, ['read_bytes_async']],
    [Gio.OutputStream, ['write_bytes_async']],
]) {
    for (const name of names)
        Gio._promisify(of.prototype, name, name.replace(/_async$/, '_finish'));
}

// With a property, and a hand in each slot that gjs can fill: not in `connect_async`, as it has no callbacks among
// the arguments of a slot, of any class.
const Own = GObject.registerClass({
    GTypeName: 'JsOwn',
    Properties: {
        label: GObject.ParamSpec.string('label', '', '', GObject.ParamFlags.READWRITE | GObject.ParamFlags.CONSTRUCT, 'new'),
    },
}, class Own extends Gsock.TcpConnection {
    vfunc_connect(address, cancellable) {
        Own.calls.push('connect');
        return super.vfunc_connect(address, cancellable);
    }

    vfunc_connect_finish(result) {
        Own.calls.push('connect_finish');
        return super.vfunc_connect_finish(result);
    }

    vfunc_close_fn(cancellable) {
        Own.calls.push(`close ${this.label}`);
        return super.vfunc_close_fn(cancellable);
    }

    vfunc_get_input_stream() {
        // Once: C borrows it.
        if (!this._input)
            this._input = Gio.BufferedInputStream.new(super.vfunc_get_input_stream());
        return this._input;
    }

    vfunc_get_output_stream() {
        if (!this._output)
            this._output = Gio.BufferedOutputStream.new(super.vfunc_get_output_stream());
        return this._output;
    }
});
Own.calls = [];

const Greeter = GObject.registerClass({GTypeName: 'JsGreeter'}, class Greeter extends Gsock.SocketService {
    vfunc_incoming(connection, _source) {
        greet(connection).catch(logError);
        return true;
    }
});

const Holder = GObject.registerClass({
    GTypeName: 'JsHolder',
    Properties: {
        state: GObject.ParamSpec.enum('state', '', '', GObject.ParamFlags.READWRITE,
            Gsock.ConnectionState.$gtype, Gsock.ConnectionState.UNCONNECTED),
        alive: GObject.ParamSpec.boolean('alive', '', '', GObject.ParamFlags.READWRITE, false),
        socket: GObject.ParamSpec.object('socket', '', '', GObject.ParamFlags.READWRITE, Gio.Socket.$gtype),
        stream: GObject.ParamSpec.object('stream', '', '', GObject.ParamFlags.READWRITE, Gio.IOStream.$gtype),
    },
}, class Holder extends GObject.Object {});

// `connect` of these classes hides GObject's.
function on(object, signal, handler) {
    return GObject.Object.prototype.connect.call(object, signal, handler);
}

function check(holds, what) {
    if (!holds)
        throw new Error(what);
}

async function fails(operation, code) {
    try {
        await operation();
    } catch (error) {
        if (error instanceof GLib.Error && error.matches(Gio.IOErrorEnum, code))
            return error;
        throw error;
    }
    throw new Error(`no error ${code}`);
}

async function greet(connection) {
    await connection.get_output_stream().write_bytes_async(
        new GLib.Bytes(ByteArray.fromString('welcome\n')), GLib.PRIORITY_DEFAULT, null);
    await connection.close_async(GLib.PRIORITY_DEFAULT, null);
}

// All that comes until the end.
async function readToEnd(connection) {
    let text = '';
    for (;;) {
        const bytes = await connection.get_input_stream().read_bytes_async(1024, GLib.PRIORITY_DEFAULT, null);
        if (bytes.get_size() === 0)
            return text;
        text += ByteArray.toString(ByteArray.fromGBytes(bytes));
    }
}

function unconnected() {
    return Gsock.SocketConnection.factory_create_connection(tcpSocket());
}

function tcpSocket() {
    return Gio.Socket.new(Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, Gio.SocketProtocol.DEFAULT);
}

function bytes(text) {
    return new GLib.Bytes(ByteArray.fromString(text));
}

function says(frame, text) {
    return frame !== null && frame.equal(bytes(text));
}

// The next signal of that name.
function emitted(object, signal) {
    return new Promise(resolve => {
        const handler = on(object, signal, (_object, ...rest) => {
            object.disconnect(handler);
            resolve(rest);
        });
    });
}

// Both ends of a connection, with frames.
async function framedPair(framing) {
    const folder = GLib.Dir.make_tmp('gsock-gjs-XXXXXX');
    const listener = Gsock.SocketListener.new();
    listener.add_unix_path(`${folder}/socket`, 0o600, Gsock.UnixPathFlags.NONE, null);
    const here = await new Gsock.SocketClient().connect_async(listener.get_addresses()[0], null);
    const [there] = await listener.accept_async(null);
    listener.close();
    GLib.rmdir(folder);
    return [here, there].map(end => Gsock.Framed.new(end, framing));
}

function reconnectorTo(connectable) {
    return new Gsock.Reconnector({
        client: new Gsock.SocketClient({enable_proxy: false}),
        connectable,
        initial_delay_ms: 5,
        max_delay_ms: 20,
    });
}

// A listener on loopback, and where it is.
function listening(source = null) {
    const listener = Gsock.SocketListener.new();
    const [, address] = listener.add_address(Gio.InetSocketAddress.new_from_string('127.0.0.1', 0),
        Gio.SocketType.STREAM, Gio.SocketProtocol.DEFAULT, source);
    return [listener, address];
}

function deserted() {
    const [listener, address] = listening();
    listener.close();
    return address;
}

const tests = {
    async connect() {
        const [listener, address] = listening();
        const connection = unconnected();
        check(connection instanceof Gsock.TcpConnection && !connection.is_connected(), 'not connected yet');
        check(connection.connect(address, null), 'connect answers');
        const [other] = listener.accept(null);
        connection.get_output_stream().write_all(ByteArray.fromString('x'), null);
        check(other.get_input_stream().read_bytes(4, null).get_size() === 1, 'a byte comes through');
        listener.close();
    },

    async connect_async() {
        const [listener, address] = listening();
        const connection = unconnected();
        check(await connection.connect_async(address, null), 'connect answers');
        const [other] = await listener.accept_async(null);
        await greet(other);
        check(await readToEnd(connection) === 'welcome\n', 'what was sent comes through');
        listener.close();
    },

    async refused() {
        const address = deserted();
        await fails(() => unconnected().connect(address, null), Gio.IOErrorEnum.CONNECTION_REFUSED);
        const connection = unconnected();
        await fails(() => connection.connect_async(address, null), Gio.IOErrorEnum.CONNECTION_REFUSED);
        check(connection.get_last_error().matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CONNECTION_REFUSED),
            'the last error is that');
    },

    async cancelled() {
        const [listener, address] = listening();
        const cancellable = new Gio.Cancellable();
        GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
            cancellable.cancel();
            return GLib.SOURCE_REMOVE;
        });
        await fails(() => listener.accept_async(cancellable), Gio.IOErrorEnum.CANCELLED);
        await fails(() => unconnected().connect(address, cancellable), Gio.IOErrorEnum.CANCELLED);
        await fails(() => unconnected().connect_async(address, cancellable), Gio.IOErrorEnum.CANCELLED);
        listener.close();
    },

    async timeout() {
        const [listener, address] = listening();
        const client = new Gsock.SocketClient({io_timeout_ms: 50});
        const connection = await client.connect_async(address, null);
        await fails(() => readToEnd(connection), Gio.IOErrorEnum.TIMED_OUT);
        await fails(() => connection.get_input_stream().read_bytes(1, null), Gio.IOErrorEnum.TIMED_OUT);
        // The handshake of TLS is a part of connecting; nobody answers it.
        const patient = new Gsock.SocketClient({connect_timeout_ms: 50, tls: true});
        await fails(() => patient.connect_async(address, null), Gio.IOErrorEnum.TIMED_OUT);
        await fails(() => patient.connect(address, null), Gio.IOErrorEnum.TIMED_OUT);
        listener.close();
    },

    async addresses() {
        const [listener, address] = listening();
        const connection = unconnected();
        check(connection.remote_address === null, 'no peer yet');
        await fails(() => connection.get_remote_address(), Gio.IOErrorEnum.NOT_CONNECTED);
        await connection.connect_async(address, null);
        const [other] = await listener.accept_async(null);
        check(connection.get_remote_address().get_port() === address.get_port(), 'the peer');
        check(connection.get_local_address().get_port() === other.remote_address.get_port(), 'this end');
        await connection.close_async(GLib.PRIORITY_DEFAULT, null);
        check(connection.remote_address.get_port() === address.get_port(), 'it stays after a close');
        listener.close();
    },

    async 'notify and bindings'() {
        const [listener, address] = listening();
        const {UNCONNECTED, CONNECTING, CONNECTED, DISCONNECTED, CLOSED} = Gsock.ConnectionState;
        const connection = unconnected();
        const holder = new Holder();
        const states = [];
        on(connection, 'notify::state', () => states.push(connection.state));
        for (const name of ['state', 'alive'])
            connection.bind_property(name, holder, name, GObject.BindingFlags.SYNC_CREATE);
        check(holder.state === UNCONNECTED && !holder.alive, 'bound from the beginning');
        await connection.connect_async(address, null);
        check(holder.state === CONNECTED && holder.alive, 'bound: connected');
        const [other] = await listener.accept_async(null);
        const gone = new Promise(resolve => on(holder, 'notify::alive', resolve));
        await other.close_async(GLib.PRIORITY_DEFAULT, null);
        await gone;
        check(holder.state === DISCONNECTED && !holder.alive, 'bound: the peer is gone');
        await connection.close_async(GLib.PRIORITY_DEFAULT, null);
        check(states.join() === [CONNECTING, CONNECTED, DISCONNECTED, CLOSED].join(), `each is notified: ${states}`);
        listener.close();
    },

    async 'a socket is bound'() {
        const [connection, holder, sockets] = [unconnected(), new Holder(), [tcpSocket(), tcpSocket()]];
        connection.bind_property('socket', holder, 'socket',
            GObject.BindingFlags.SYNC_CREATE | GObject.BindingFlags.BIDIRECTIONAL);
        check(holder.socket === connection.get_socket(), 'bound from the beginning');
        check(connection.set_socket(sockets[0]) && holder.socket === sockets[0], 'to the other object');
        holder.socket = sockets[1];
        check(connection.get_socket() === sockets[1], 'and from it');
    },

    async 'a class of one\'s own'() {
        const [listener, address] = listening();
        Own.calls = [];
        const connection = new Own({socket: tcpSocket()});
        connection.connect(address, null);
        check(Own.calls.join() === 'connect', `it came by the class of one's own: ${Own.calls}`);
        const [other] = await listener.accept_async(null);
        check(connection.get_input_stream() instanceof Gio.BufferedInputStream, 'a stream of its own');
        other.get_output_stream().write_all(ByteArray.fromString('in'), null);
        check(connection.get_input_stream().read_bytes(2, null).get_size() === 2, 'through it');
        connection.get_output_stream().write_all(ByteArray.fromString('out'), null);
        connection.get_output_stream().flush(null);
        check(other.get_input_stream().read_bytes(3, null).get_size() === 3, 'through the other one');
        connection.close(null);
        const later = new Own({socket: tcpSocket(), label: 'later'});
        check(await later.connect_async(address, null), 'asynchronously');
        await later.close_async(GLib.PRIORITY_DEFAULT, null);
        check(Own.calls.join() === 'connect,close new,connect_finish,close later', `each slot: ${Own.calls}`);
        listener.close();
    },

    async 'the factory, and what others make of a class of one\'s own'() {
        const [listener, address] = listening();
        const key = [Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, 0];
        Own.calls = [];
        Gsock.SocketConnection.factory_register_type(Own.$gtype, ...key);
        check(Gsock.SocketConnection.factory_lookup_type(...key) === Own.$gtype, 'the factory has it');
        const client = new Gsock.SocketClient();
        const used = (connection, label) => {
            check(connection instanceof Own && connection.label === 'new', `of the class of one's own: ${label}`);
            const labels = [];
            on(connection, 'notify::label', () => labels.push(connection.label));
            connection.label = label;
            check(labels.join() === label, 'its property is notified');
            check(connection.get_input_stream() instanceof Gio.BufferedInputStream, 'its stream');
            connection.close(null);
        };
        const made = [client.connect(address, null), await client.connect_async(address, null)];
        const accepted = [listener.accept(null)[0], (await listener.accept_async(null))[0]];
        made.forEach(connection => used(connection, 'made'));
        accepted.forEach(connection => used(connection, 'accepted'));
        check(Own.calls.join() === 'close made,close made,close accepted,close accepted', `its slots: ${Own.calls}`);
        Gsock.SocketConnection.factory_register_type(Gsock.TcpConnection.$gtype, ...key);
        listener.close();
    },

    async 'the client connects to a host'() {
        const [listener, address] = listening();
        const client = new Gsock.SocketClient();
        const events = [];
        on(client, 'event', (_client, event) => events.push(event));
        const connection = await client.connect_to_host_async('127.0.0.1', address.get_port(), null);
        check(events[events.length - 1] === Gio.SocketClientEvent.COMPLETE, 'the last event says so');
        check(client.connect_to_host('127.0.0.1', address.get_port(), null).is_connected(), 'blocking too');
        const uri = `some://127.0.0.1:${address.get_port()}`;
        check(client.connect_to_uri(uri, 0, null).is_connected(), 'to a URI');
        check((await client.connect_to_uri_async(uri, 0, null)).is_connected(), 'and later');
        for (const operation of ['connect_to_service', 'connect_to_service_async']) {
            let failure = null;
            try {
                await client[operation]('localhost', NO_SERVICE, null);
            } catch (error) {
                failure = error;
            }
            check(failure instanceof Gio.ResolverError, 'to a service');
        }
        check(connection.get_connect_report().get_n_attempts() === 1, 'it took one attempt');
        const [report, made] = await client.connect_with_report_async(deserted(), null);
        check(made === null && report.get_error().matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CONNECTION_REFUSED),
            'the report of a failure');
        listener.close();
    },

    async 'the listener accepts'() {
        const source = new Holder();
        const [listener, address] = listening(source);
        const client = new Gsock.SocketClient();
        client.connect(address, null);
        check((await listener.accept_async(null))[1] === source, 'the source of what is accepted');
        client.connect(address, null);
        check(listener.accept(null)[1] === source, 'blocking too');
        client.connect(address, null);
        check(listener.accept_socket(null)[0].is_connected(), 'as a socket');
        client.connect(address, null);
        check((await listener.accept_socket_async(null))[0].is_connected(), 'and later');
        listener.close();
    },

    async 'a service takes what comes in'() {
        const client = new Gsock.SocketClient();
        const handled = Gsock.SocketService.new();
        on(handled, 'incoming', (_service, connection) => {
            greet(connection).catch(logError);
            return true;
        });
        for (const service of [handled, new Greeter()]) {
            const port = service.add_any_inet_port(null);
            const connection = await client.connect_to_host_async('127.0.0.1', port, null);
            check(await readToEnd(connection) === 'welcome\n', 'the service greets');
            check(await service.drain_async(null) && !service.is_active(), 'drained');
            service.close();
        }
    },

    async descriptors() {
        const folder = GLib.Dir.make_tmp('gsock-gjs-XXXXXX');
        const listener = Gsock.SocketListener.new();
        listener.add_unix_path(`${folder}/socket`, 0o600, Gsock.UnixPathFlags.NONE, null);
        const [address] = listener.get_addresses();
        const here = await new Gsock.SocketClient().connect_async(address, null);
        const [there] = await listener.accept_async(null);
        const [, , input, output] = GLib.spawn_async_with_pipes(null, ['cat'], null, GLib.SpawnFlags.SEARCH_PATH, null);
        await here.send_fd_async(input, null);
        GLib.close(input);
        const got = await there.receive_fd_async(null);
        // Ours, and so closed with the stream.
        const stream = new Gio.UnixOutputStream({fd: got, close_fd: true});
        stream.write_all(ByteArray.fromString('x'), null);
        stream.close(null);
        const echoed = new Gio.UnixInputStream({fd: output, close_fd: true});
        check(echoed.read_bytes(4, null).get_size() === 1, 'through the descriptor that came');
        // Blocking, and several at once.
        check(here.send_fd(1, null), 'sent');
        GLib.close(there.receive_fd(null));
        check(here.send_fds([1, 2], null), 'sent both');
        const both = there.receive_fds(4, null);
        check(await here.send_fds_async([1, 2, 1], null), 'sent all');
        const all = await there.receive_fds_async(4, null);
        check(both.length === 2 && all.length === 3, 'as many as were sent');
        [...both, ...all].forEach(fd => GLib.close(fd));
        check(there.get_peer_credentials().get_unix_pid() > 0, 'the peer');
        check(here.send_credentials(null), 'credentials');
        const me = new Gio.Credentials().get_unix_user();
        check(there.receive_credentials(null).get_unix_user() === me, 'mine');
        check(await here.send_credentials_async(null), 'and later');
        check((await there.receive_credentials_async(null)).get_unix_user() === me, 'mine too');
        listener.close();
        check(GLib.rmdir(folder) === 0, 'the path is gone with the listener');
    },

    async relay() {
        const [listener, address] = listening();
        const client = new Gsock.SocketClient();
        const left = await client.connect_async(address, null);
        const [leftInside] = await listener.accept_async(null);
        const right = await client.connect_async(address, null);
        const [rightInside] = await listener.accept_async(null);
        const relayed = leftInside.relay_async(rightInside, null);
        await greet(left);
        check(await readToEnd(right) === 'welcome\n', 'through the relay');
        await right.close_async(GLib.PRIORITY_DEFAULT, null);
        const counts = await relayed;
        check(counts.slice(-2).join() === '8,0', `what went where: ${counts}`);
        listener.close();
    },

    async frames() {
        const [here, there] = await framedPair(Gsock.Framing.JSON_LINES);
        check(here.send(bytes('{"sent": 1}')), 'queued');
        check(here.pending_frames === 1 && here.pending_bytes === 12, 'in the queue');
        here.flush(null);
        check(here.write_frame(bytes('[2]'), null), 'written');
        check(says(there.read_frame(null), '{"sent": 1}') && says(there.read_frame(null), '[2]'), 'in their order');
        const read = there.read_frame_async(null);
        await here.write_frame_async(bytes('3'), null);
        check(says(await read, '3'), 'and later');
        await fails(async () => here.send(bytes('{nonsense')), Gio.IOErrorEnum.INVALID_DATA);
        const cancellable = new Gio.Cancellable();
        const cancelled = fails(() => there.read_frame_async(cancellable), Gio.IOErrorEnum.CANCELLED);
        cancellable.cancel();
        await cancelled;
        await here.close_async(null);
        check(await there.read_frame_async(null) === null && there.read_frame(null) === null, 'the end');
    },

    async 'bytes and descriptors between frames'() {
        const [here, there] = await framedPair(Gsock.Framing.LINES);
        for (const [length, body] of [['3', 'a\nb'], ['4', 'c\nde']]) {
            here.send(bytes(length));
            here.send_exact(bytes(body));
        }
        await here.flush_async(null);
        check(says(there.read_frame(null), '3') && says(there.read_exact(3, null), 'a\nb'), 'between two lines');
        check(says(there.read_frame(null), '4') && says(await there.read_exact_async(3, null), 'c\nd'), 'and later');
        check(says(there.take_buffered(), 'e'), 'what is left');
        there.read_ahead = false;
        here.send_with_fds(bytes('descriptors'), [1, 2]);
        here.flush(null);
        check(says(there.read_frame(null), 'descriptors'), 'the frame that they go with');
        const got = there.io_stream.receive_fds(4, null);
        check(got.length === 2, 'both');
        got.forEach(fd => GLib.close(fd));
    },

    async 'the queue of frames'() {
        const [here, there] = await framedPair(Gsock.Framing.LINES);
        const told = [];
        on(here, 'notify::congested', () => told.push(here.congested));
        here.set({high_water: 3, keep_queue: true});
        const stream = here.io_stream;
        here.io_stream = null;
        const congested = emitted(here, 'notify::congested');
        here.send(bytes('more'));
        await congested;
        const drained = emitted(here, 'drained');
        here.io_stream = stream;
        await drained;
        check(told.join() === 'true,false', `each is notified: ${told}`);
        const failed = emitted(here, 'error');
        there.close(null);
        here.send(bytes('x'));
        const [error] = await failed;
        check(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.BROKEN_PIPE), 'nobody reads');
        check(here.get_last_error() !== null && here.pending_frames === 1, 'it is kept');
    },

    async 'connects again'() {
        const [listener, address] = listening();
        const reconnector = reconnectorTo(address);
        const told = [];
        for (const signal of ['attempt', 'connected', 'disconnected'])
            on(reconnector, signal, () => told.push(signal));
        const holder = new Holder();
        reconnector.bind_property('io-stream', holder, 'stream', GObject.BindingFlags.SYNC_CREATE);
        reconnector.start();
        const stream = await reconnector.wait_connected_async(null);
        check(stream === reconnector.connection && stream === holder.stream, 'the stream is the connection');
        reconnector.connection.bind_property('alive', holder, 'alive', GObject.BindingFlags.SYNC_CREATE);
        for (let round = 1; round < 3; round++) {
            const [other] = await listener.accept_async(null);
            check(holder.alive, 'bound: connected');
            const lost = emitted(reconnector, 'disconnected');
            await other.close_async(GLib.PRIORITY_DEFAULT, null);
            await lost;
            check(await reconnector.wait_connected_async(null) === stream, 'one object for all sockets');
        }
        check(told.join() === 'attempt,connected,disconnected,attempt,connected,disconnected,attempt,connected',
            `each is told of: ${told}`);
        check(reconnector.attempt === 3, 'three attempts');
        reconnector.stop();
        check(reconnector.state === Gsock.ReconnectorState.STOPPED && !holder.alive, 'stopped');
        check(reconnector.wait_connected(null) === stream, 'the wait starts it, blocking');
        reconnector.stop();
        listener.close();
    },

    async 'gives up'() {
        const reconnector = reconnectorTo(deserted());
        reconnector.max_attempts = 2;
        const told = [];
        on(reconnector, 'attempt-failed', (_reconnector, number, error, delay) => told.push([number,
            error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CONNECTION_REFUSED), delay > 0]));
        const givenUp = emitted(reconnector, 'given-up');
        await fails(() => reconnector.wait_connected_async(null), Gio.IOErrorEnum.CONNECTION_REFUSED);
        check(told.join() === '1,true,true,2,true,false', `each is told of: ${told}`);
        check((await givenUp)[0].matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CONNECTION_REFUSED), 'and why');
        check(reconnector.state === Gsock.ReconnectorState.GIVEN_UP, 'it gives up');
        const cancellable = new Gio.Cancellable();
        cancellable.cancel();
        await fails(() => reconnectorTo(deserted()).wait_connected_async(cancellable), Gio.IOErrorEnum.CANCELLED);
    },

    // What is sent while there is no connection goes over the next one.
    async 'frames over each connection'() {
        const [listener, address] = listening();
        const reconnector = reconnectorTo(address);
        const framed = new Gsock.Framed({framing: Gsock.Framing.LINES, keep_queue: true});
        reconnector.bind_property('io-stream', framed, 'io-stream', GObject.BindingFlags.SYNC_CREATE);
        on(reconnector, 'disconnected', () => framed.send(bytes('meanwhile')));
        framed.send(bytes('before'));
        reconnector.start();
        for (const expected of ['before', 'meanwhile', 'meanwhile']) {
            const other = Gsock.Framed.new((await listener.accept_async(null))[0], Gsock.Framing.LINES);
            check(says(await other.read_frame_async(null), expected), expected);
            const lost = emitted(reconnector, 'disconnected');
            await other.close_async(null);
            await lost;
        }
        reconnector.stop();
        listener.close();
    },
};

const loop = GLib.MainLoop.new(null, false);
let status = 1;

async function all() {
    let number = 0;
    for (const [name, test] of Object.entries(tests)) {
        try {
            await test();
        } catch (error) {
            print(`not ok ${name}: ${error}\n${error.stack}`);
            return;
        }
        print(`ok ${++number} ${name}`);
    }
    print(`1..${number}`);
    status = 0;
}

GLib.timeout_add_seconds(GLib.PRIORITY_DEFAULT, LIMIT_SECONDS, () => {
    print('not ok: it hangs');
    loop.quit();
    return GLib.SOURCE_REMOVE;
});
// Within the loop: promises go on there.
GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
    all().finally(() => loop.quit());
    return GLib.SOURCE_REMOVE;
});
loop.run();
System.exit(status);
