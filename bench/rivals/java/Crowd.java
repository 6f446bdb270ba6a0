// Argument: a job as JSON. Says "ready", waits for a line, and answers with the outcome as JSON.
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Lock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.redisson.Redisson;
import org.redisson.api.RBucket;
import org.redisson.api.RedissonClient;
import org.redisson.client.codec.StringCodec;
import org.redisson.config.Config;

public class Crowd {
  private static String job;
  private static final AtomicLong sections = new AtomicLong();
  private static final AtomicLong longest = new AtomicLong();
  private static RedissonClient redisson;
  private static Runnable section = () -> {};

  public static void main(String[] args) throws Exception {
    job = args[0];
    if (text("section").equals("rmw")) {
      RBucket<String> counter = client("data").getBucket("counter:" + text("name"), StringCodec.INSTANCE);
      counter.get();
      section = () -> {
        String count = counter.get();
        counter.set(String.valueOf(count == null ? 1 : Long.parseLong(count) + 1));
      };
    }
    if (text("from").equals("call") && !bare()) redisson = client("url");
    long warmUp = millis("warmUp");
    if (warmUp > 0) rounds(System.nanoTime() + warmUp);
    sections.set(0);
    longest.set(0);
    System.out.println("ready");
    System.in.read();
    long begun = System.nanoTime();
    rounds(begun + millis("ms"));
    double took = (System.nanoTime() - begun) / 1e6;
    double most = longest.get() / 1e6;
    System.out.println("{\"sections\":" + sections.get() + ",\"ms\":" + took + ",\"longest\":" + most + "}");
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static void rounds(long until) throws InterruptedException {
    int callers = Integer.parseInt(text("callers"));
    if (bare()) {
      do {
        for (int caller = 0; caller < callers; caller += 1) {
          sections.incrementAndGet();
          section.run();
        }
      } while (System.nanoTime() < until);
      return;
    }
    if (redisson == null) redisson = client("url");
    List<Thread> threads = new ArrayList<>();
    for (int caller = 0; caller < callers; caller += 1) {
      Thread thread = new Thread(() -> {
        do served();
        while (System.nanoTime() < until);
      });
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) thread.join();
  }

  private static void served() {
    Lock lock = lock();
    long asked = System.nanoTime();
    lock.lock();
    try {
      sections.incrementAndGet();
      longest.accumulateAndGet(System.nanoTime() - asked, Math::max);
      section.run();
    } finally {
      lock.unlock();
    }
  }

  private static Lock lock() {
    String name = "redisson:" + text("name");
    switch (text("entrant")) {
      case "redisson-fair":
        return redisson.getFairLock(name);
      case "redisson-spin":
        return redisson.getSpinLock(name);
      default:
        return redisson.getLock(name);
    }
  }

  private static RedissonClient client(String which) {
    Config config = new Config();
    config.useSingleServer().setAddress(text(which));
    return Redisson.create(config);
  }

  private static boolean bare() {
    return text("entrant").equals("bare");
  }

  /** The job is flat, and no text in it has quotes. */
  private static String text(String field) {
    Matcher matcher = Pattern.compile("\"" + field + "\":\"?([^\",}]*)").matcher(job);
    if (!matcher.find()) throw new IllegalArgumentException(field);
    return matcher.group(1);
  }

  private static long millis(String field) {
    return (long) (Double.parseDouble(text(field)) * 1e6);
  }
}
