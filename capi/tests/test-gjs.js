// What the classes do from JavaScript, promisified. Says what it does as the tests in C do.

imports.gi.versions.Gsock = '1';
const {Gio, GLib, GObject, Gsock} = imports.gi;
const ByteArray = imports.byteArray;
const System = imports.system;

// A test that hangs is ended.
const LIMIT_SECONDS = 60;

for (const [of, names] of [
    [Gsock.SocketConnection, ['connect_async', 'relay_async']],
    [Gsock.SocketClient, ['connect_async', 'connect_to_host_async', 'connect_with_report_async']],
    [Gsock.SocketListener, ['accept_async']],
    [Gsock.SocketService, ['drain_async']],
    [Gsock.UnixConnection, ['send_fd_async', 'receive_fd_async']],
    [Gio.IOStream, ['close_async']],
    [Gio.InputStream, ['read_bytes_async']],
    [Gio.OutputStream, ['write_bytes_async']],
]) {
    for (const name of names)
        Gio._promisify(of.prototype, name, name.replace(/_async$/, '_finish'));
}

const Own = GObject.registerClass({GTypeName: 'JsOwn'}, class Own extends Gsock.TcpConnection {
    vfunc_connect(address, cancellable) {
        Own.connects++;
        return super.vfunc_connect(address, cancellable);
    }
});
Own.connects = 0;

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
        // The handshake of TLS is a part of connecting; nobody answers it.
        const patient = new Gsock.SocketClient({connect_timeout_ms: 50, tls: true});
        await fails(() => patient.connect_async(address, null), Gio.IOErrorEnum.TIMED_OUT);
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

    async 'a class of one\'s own, and the factory'() {
        const [listener, address] = listening();
        const connection = new Own({socket: tcpSocket()});
        connection.connect(address, null);
        check(Own.connects === 1, 'it came by the class of one\'s own');
        await listener.accept_async(null);
        const key = [Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, 0];
        Gsock.SocketConnection.factory_register_type(Own.$gtype, ...key);
        check(Gsock.SocketConnection.factory_lookup_type(...key) === Own.$gtype, 'the factory has it');
        check(await new Gsock.SocketClient().connect_async(address, null) instanceof Own, 'the client makes it');
        const [accepted] = await listener.accept_async(null);
        check(accepted instanceof Own, 'the listener too');
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
        check(there.get_peer_credentials().get_unix_pid() > 0, 'the peer');
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
