import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/**
 * FileChannel.transferTo() of Java, beside transfer(): file to TCP socket on the loopback interface.
 *
 * <p>{@code java Transfer.java send SOURCE PORT REPEATS} prints one JSON array with the milliseconds of
 * each repetition, and its CPU time.
 */
final class Transfer {
  private static void send(FileChannel source, int port) throws IOException {
    try (SocketChannel target = SocketChannel.open(new InetSocketAddress("127.0.0.1", port))) {
      for (long at = 0, size = source.size(); at < size; ) {
        at += source.transferTo(at, size - at, target);
      }
    }
  }

  public static void main(String[] arguments) throws IOException {
    var system =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    var costs = new StringBuilder("[");
    try (FileChannel source = FileChannel.open(Path.of(arguments[1]))) {
      // One more than counts: the first one loads the classes.
      for (int i = 0; i <= Integer.parseInt(arguments[3]); i++) {
        long cpu = system.getProcessCpuTime();
        long wall = System.nanoTime();
        send(source, Integer.parseInt(arguments[2]));
        wall = System.nanoTime() - wall;
        cpu = system.getProcessCpuTime() - cpu;
        if (i == 0) continue;
        if (i > 1) costs.append(',');
        costs.append("{\"wallMs\":%.4f,\"cpuMs\":%.4f}".formatted(wall / 1e6, cpu / 1e6));
      }
    }
    System.out.println(costs.append(']'));
  }
}
