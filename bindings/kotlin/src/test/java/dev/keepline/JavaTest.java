package dev.keepline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The library as a Java program uses it. */
class JavaTest {
    @Test
    void builderConnectsAndListensAndCloses() throws Exception {
        try (Chaos chaos = new Chaos()) {
            ClientBuilder builder = Keepline.builder(chaos.tell("serve s line"))
                .profile(Profile.Balanced).framing(Framing.lines()).detectWithin(Duration.ofSeconds(20));
            CountDownLatch closed = new CountDownLatch(1);
            try (Client client = builder.connect().get(5, TimeUnit.SECONDS)) {
                client.addListener(event -> {
                    if (event instanceof Event.Closed) closed.countDown();
                });
                client.trySend("hello".getBytes(StandardCharsets.UTF_8));
                chaos.tell("await-lines s 1 5000");
            }
            assertTrue(closed.await(5, TimeUnit.SECONDS));
        }
    }

    @Test
    void failureIsTheExceptionOfTheFuture() {
        var connecting = Keepline.builder("127.0.0.1:1").connectWithin(Duration.ofMillis(200)).connect();
        var failed = assertThrows(ExecutionException.class, () -> connecting.get(5, TimeUnit.SECONDS));
        assertEquals(KeeplineException.Unavailable.class, failed.getCause().getClass());
    }
}
