"""Logging in, subscribing and being sent away, against a Redis and a server of lines."""

import asyncio

import pytest

import keepline
import waiting
from keepline import Backoff, Cause, Framing, Matcher, RetryAfter, Script, events
from servers import redis_process

WRONG = Matcher.prefix(b"-WRONGPASS")


async def test_redis_refuses_the_old_password_and_the_replaced_one_passes() -> None:
    async with redis_process() as redis:
        reader, writer = await asyncio.open_connection(*redis.address)
        writer.write(b"ACL SETUSER worker on >n3w ~* &* +@all\r\n")
        assert await reader.readline() == b"+OK\r\n"
        writer.close()
        client = keepline.start(redis.address, framing=Framing.resp(), greeting=login(), credentials=b"s3cr3t")
        lost = await waiting.event(client, events.Disconnected)
        assert lost.cause is Cause.GREETING_AUTH
        assert lost.retry_in is not None and lost.retry_in >= 10
        assert "s3cr3t" not in f"{client.config!r} {lost!r}"
        client.set_credentials(b"n3w")
        client.reconnect()
        await waiting.event(client, events.Connected)
        await client.send(b"ACL WHOAMI\r\n")
        message = await client.recv(timeout=10)
        assert message is not None and message.payload == b"$6\r\nworker\r\n"
        await client.close()


async def test_refused_credentials_end_the_client_after_as_many_attempts_as_declared() -> None:
    async with redis_process() as redis:
        with pytest.raises(keepline.Exhausted) as refused:
            await keepline.connect(
                redis.address, framing=Framing.resp(), greeting=login(), credentials=b"wrong", auth_attempts=1
            )
        assert refused.value.cause == Cause.GREETING_AUTH


async def test_subscriptions_come_back_before_connected_and_nothing_published_after_it_is_lost() -> None:
    async with redis_process() as redis:
        # Subscribed to before there is a connection, so that each one begins with it.
        redis.kill()
        client = keepline.start(redis.address, framing=Framing.resp(), backoff=Backoff(max=0.3))
        confirmed = Matcher.prefix(b"*3\r\n$9\r\nsubscribe\r\n")
        client.subscribe("news", b"SUBSCRIBE news\r\n", confirmed_by=confirmed)
        redis.start()
        after = 0
        for _round in range(2):
            back = await waiting.event(client, events.Connected, after=after)
            reader, writer = await asyncio.open_connection(*redis.address)
            writer.write(b"PUBLISH news hello\r\n")
            assert await reader.readline() == b":1\r\n"
            writer.close()
            message = await client.recv(timeout=10)
            assert message is not None and message.payload.endswith(b"$5\r\nhello\r\n")
            redis.kill()
            after = (await waiting.event(client, events.Disconnected, after=back.seq)).seq
            redis.start()
        assert client.unsubscribe("news", b"UNSUBSCRIBE news\r\n")
        assert not client.unsubscribe("news")
        await client.close()
        with pytest.raises(keepline.Closed):
            client.subscribe("late", b"SUBSCRIBE late\r\n")


async def test_client_that_is_sent_away_says_for_how_long() -> None:
    async with redis_process() as redis:
        # An answer of Redis stands for the notice of a server.
        notice = RetryAfter(Matcher.prefix(b"$10\r\nleave in "), 5, marker=b"leave in ")
        client = await keepline.connect(redis.address, framing=Framing.resp(), go_away=notice)
        await client.send(b"*2\r\n$4\r\nECHO\r\n$10\r\nleave in 9\r\n")
        lost = await waiting.event(client, events.Disconnected)
        assert (lost.cause, lost.retry_after) == (Cause.PEER_CLOSED, 9.0)
        assert lost.retry_in is not None and lost.retry_in >= 9
        client.reconnect()
        back = await waiting.event(client, events.Connected, after=lost.seq)
        client.go_away(60)
        lost = await waiting.event(client, events.Disconnected, after=back.seq)
        assert lost.retry_after == 60.0 and lost.retry_in is not None and lost.retry_in >= 60
        client.abort()


def login() -> Script:
    return Script().refused(WRONG).send_credentials(b"AUTH worker ", b"\r\n").expect(b"+OK\r\n")
