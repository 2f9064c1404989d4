package dev.keepline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
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
    void whatWaitsIsAFuture() throws Exception {
        try (Chaos chaos = new Chaos();
            Client client = Keepline.builder(chaos.tell("serve s line")).framing(Framing.lines()).start()) {
            AsyncClient async = client.async();
            Receipt receipt = async.sendTracked(bytes("one")).get(5, TimeUnit.SECONDS);
            assertEquals("one", async.receive(Duration.ofSeconds(5)).get().text());
            assertEquals(Outcome.Acked, async.outcome(receipt).get(5, TimeUnit.SECONDS));
            async.send(bytes("two")).thenCompose(sent -> async.receive()).thenAccept(two -> assertEquals("two", two.text()))
                .get(5, TimeUnit.SECONDS);
            var late = assertThrows(ExecutionException.class, () -> async.receive(Duration.ZERO).get());
            assertEquals(KeeplineException.Timeout.class, late.getCause().getClass());
            assertEquals(Cause.Requested, async.close(Duration.ofSeconds(1)).get(5, TimeUnit.SECONDS).getCause());
            assertEquals(Cause.Requested, async.closed().get(5, TimeUnit.SECONDS).getCause());
            assertNull(async.receive().get(5, TimeUnit.SECONDS));
        }
    }

    @Test
    void futuresThatAreCancelledOrTooLateLoseNoMessage() throws Exception {
        try (Chaos chaos = new Chaos();
            Client client = Keepline.builder(chaos.tell("serve s line")).framing(Framing.lines()).start()) {
            AsyncClient async = client.async();
            List<String> sent = new ArrayList<>();
            List<String> seen = new ArrayList<>();
            Random random = new Random(3);
            int ended = 0;
            while (ended < 5_000) {
                if (sent.size() - seen.size() < 100 && random.nextInt(3) > 0) {
                    sent.add("" + sent.size());
                    async.send(bytes(sent.get(sent.size() - 1))).get(5, TimeUnit.SECONDS);
                }
                CompletableFuture<Message> receiving = async.receive();
                long until = System.nanoTime() + random.nextInt(400_000);
                while (System.nanoTime() < until && !receiving.isDone()) Thread.onSpinWait();
                boolean isEnded = random.nextBoolean()
                    ? receiving.cancel(true)
                    : receiving.completeExceptionally(new IllegalStateException("too late"));
                if (isEnded) {
                    ended++;
                } else {
                    seen.add(receiving.get(5, TimeUnit.SECONDS).text());
                }
            }
            while (seen.size() < sent.size()) seen.add(async.receive().get(10, TimeUnit.SECONDS).text());
            assertEquals(sent, seen);
            assertTrue(sent.size() > 500, "only " + sent.size());
        }
    }

    @Test
    void hooksMayBlockAndThrow() throws Exception {
        try (Chaos chaos = new Chaos()) {
            String address = chaos.tell("serve s line");
            List<String> told = Collections.synchronizedList(new ArrayList<>());
            ClientBuilder builder = Keepline.builder("machine.plant:" + address.split(":")[1])
                .framing(Framing.lines())
                .resolver((host, port) -> List.of("127.0.0.1:" + port))
                .onSocket(socket -> told.add("socket " + socket.getAddress()))
                .credentials(asked -> bytes("token"))
                .onConnect(io -> {
                    io.send(io.credentialsBlocking());
                    told.add(new String(io.receiveBlocking(Duration.ofSeconds(5)), StandardCharsets.UTF_8));
                    if (io.getEpoch() == 1) throw new IllegalStateException("not at the first time");
                })
                .onEvent(event -> told.add(event.getName()));
            try (Client client = builder.connect().get(10, TimeUnit.SECONDS)) {
                assertEquals(2, client.getEpoch());
                assertTrue(told.containsAll(List.of("socket " + address, "token", "connecting", "disconnected")), "" + told);
            }
        }
    }

    @Test
    void proxyIsToldWhatTheFunctionGives() throws Exception {
        try (Chaos chaos = new Chaos()) {
            ClientBuilder builder = Keepline.builder(chaos.tell("serve s line"))
                .framing(Framing.lines())
                .proxy("http://" + chaos.tell("http-proxy p robot s3cret"))
                .proxyCredentials(asked -> new ProxyCredentials("robot", asked.getRefusals() == 0 ? "s3cret" : "stale"));
            try (Client client = builder.connect().get(10, TimeUnit.SECONDS)) {
                assertEquals(1, client.getEpoch());
                assertEquals("1", chaos.tell("accepted p"));
            }
        }
    }

    @Test
    void failureIsTheExceptionOfTheFuture() {
        var connecting = Keepline.builder("127.0.0.1:1").connectWithin(Duration.ofMillis(200)).connect();
        var failed = assertThrows(ExecutionException.class, () -> connecting.get(5, TimeUnit.SECONDS));
        assertEquals(KeeplineException.Unavailable.class, failed.getCause().getClass());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
