import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Scanner;

/**
 * Sends a file over TCP in the ways of the article: {@code java TransferTo.java FILE PORT}.
 *
 * <p>Each line of input is a way and a number of bytes. Each line of output has the milliseconds that
 * this took, and the milliseconds of CPU time.
 */
final class TransferTo {
  private static final int ZERO_COPY = 0;

  public static void main(String[] arguments) throws IOException {
    var file = Path.of(arguments[0]);
    var address = new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[1]));
    var system =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    var input = new Scanner(System.in);
    while (input.hasNextInt()) {
      int blockSize = input.nextInt();
      long count = input.nextLong();
      long cpu = system.getProcessCpuTime();
      long wall = System.nanoTime();
      if (blockSize == ZERO_COPY) transferTo(file, address, count);
      else readAndWrite(file, address, count, new byte[blockSize]);
      wall = System.nanoTime() - wall;
      cpu = system.getProcessCpuTime() - cpu;
      System.out.printf(java.util.Locale.ROOT, "%.3f %.3f%n", wall / 1e6, cpu / 1e6);
      System.out.flush();
    }
  }

  private static void readAndWrite(Path file, InetSocketAddress to, long count, byte[] buffer)
      throws IOException {
    try (InputStream source = Files.newInputStream(file);
        Socket socket = new Socket(to.getAddress(), to.getPort())) {
      OutputStream target = socket.getOutputStream();
      for (long left = count; left > 0; ) {
        int length = source.read(buffer, 0, (int) Math.min(buffer.length, left));
        if (length < 0) throw new IOException("The file is shorter than " + count + " bytes");
        target.write(buffer, 0, length);
        left -= length;
      }
      socket.shutdownOutput();
      // The receiver closes when it has everything.
      if (socket.getInputStream().read() >= 0) throw new IOException("Unexpected answer");
    }
  }

  private static void transferTo(Path file, InetSocketAddress to, long count) throws IOException {
    try (FileChannel source = FileChannel.open(file);
        SocketChannel target = SocketChannel.open(to)) {
      for (long at = 0; at < count; ) {
        long moved = source.transferTo(at, count - at, target);
        if (moved == 0) throw new IOException("The file is shorter than " + count + " bytes");
        at += moved;
      }
      target.shutdownOutput();
      if (target.read(ByteBuffer.allocate(1)) >= 0) throw new IOException("Unexpected answer");
    }
  }
}
