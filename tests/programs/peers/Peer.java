// Talks over a local socket with nothing but what Java has.
//
//     java Peer.java listen PATH     echoes one connection until the end, and then ends it
//     java Peer.java connect PATH    sends a megabyte and ends, and wants it back
//
// A line on the standard output tells each step.
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Arrays;

public class Peer {
    public static void main(String[] args) throws Exception {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(args[1]);
        switch (args[0]) {
            case "listen": listen(address); break;
            case "connect": connect(address); break;
            default: throw new IllegalArgumentException(args[0]);
        }
    }

    static void listen(UnixDomainSocketAddress address) throws IOException {
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(address);
            System.out.println("listening");
            try (SocketChannel connection = server.accept()) {
                ByteBuffer buffer = ByteBuffer.allocate(65536);
                while (connection.read(buffer) >= 0) {
                    buffer.flip();
                    write(connection, buffer);
                    buffer.clear();
                }
                System.out.println("ended");
            }
        }
    }

    static void connect(UnixDomainSocketAddress address) throws Exception {
        try (SocketChannel connection = SocketChannel.open(address)) {
            System.out.println("connected");
            byte[] text = "a megabyte of this. ".getBytes("UTF-8");
            byte[] sent = new byte[1 << 20];
            for (int i = 0; i < sent.length; i++) sent[i] = text[i % text.length];
            Thread writer = new Thread(() -> {
                try {
                    write(connection, ByteBuffer.wrap(sent));
                    connection.shutdownOutput();
                } catch (IOException e) {
                    e.printStackTrace();
                }
            });
            writer.start();
            ByteBuffer got = ByteBuffer.allocate(sent.length + 1);
            while (connection.read(got) > 0) {
            }
            writer.join();
            byte[] back = Arrays.copyOf(got.array(), got.position());
            System.out.println(Arrays.equals(sent, back) ? "same" : "different");
        }
    }

    static void write(SocketChannel connection, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) connection.write(buffer);
    }
}
