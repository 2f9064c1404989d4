package dev.keepline.android

import android.app.Activity
import android.app.Application
import dev.keepline.State
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.android.controller.ActivityController
import org.robolectric.shadows.ShadowLooper
import java.util.concurrent.TimeUnit

/** Activities come and go as Android has them, under Robolectric: the clock of the main thread is the test's. */
@RunWith(RobolectricTestRunner::class)
class LifecycleTest {
    private val application: Application = RuntimeEnvironment.getApplication()

    @After
    fun forget() = KeeplineAndroid.stop()

    @Test
    fun `application is in the background a moment after its last activity has stopped`() {
        ProcessLifecycle(application).use { lifecycle ->
            assertFalse(lifecycle.isInForeground)
            val first = activity()
            first.create().start()
            assertTrue(lifecycle.isInForeground)
            // The screen turns: the activity is made anew within the moment.
            first.stop()
            pass(500)
            assertTrue(lifecycle.isInForeground)
            val second = activity()
            second.create().start()
            pass(1000)
            assertTrue(lifecycle.isInForeground)
            second.stop()
            pass(699)
            assertTrue(lifecycle.isInForeground)
            pass(1)
            assertFalse(lifecycle.isInForeground)
        }
    }

    @Test
    fun `activity that was there before anybody looked does not confuse`() {
        val before = activity()
        before.create().start()
        ProcessLifecycle(application).use { lifecycle ->
            before.stop()
            pass(1000)
            assertFalse(lifecycle.isInForeground)
            before.start()
            assertTrue(lifecycle.isInForeground)
        }
    }

    @Test
    fun `client pauses in the background if asked to, and comes back`() {
        LineServer().use { server ->
            ProcessLifecycle(application).use { lifecycle ->
                val (pausing, staying, paused) = List(3) { server.client() }
                lifecycle.attach(pausing, InBackground.Pause)
                lifecycle.attach(staying)
                lifecycle.attach(paused, InBackground.Pause)
                val activity = activity()
                activity.create().start()
                paused.pause()
                paused.awaitState(State.Idle)
                activity.stop()
                pass(1000)
                pausing.awaitState(State.Idle)
                assertTrue(staying.state.value.isUp)
                activity.start()
                pausing.awaitState(State.Connected)
                // What the user paused stays so.
                assertEquals(State.Idle, paused.state.value)
                for (client in listOf(pausing, staying, paused)) client.abort()
            }
        }
    }

    @Test
    fun `what waits leaves before the client does`() {
        LineServer().use { server ->
            ProcessLifecycle(application).use { lifecycle ->
                val client = server.client()
                lifecycle.attach(client, InBackground.Pause)
                val activity = activity()
                activity.create().start()
                repeat(100) { client.trySend("line $it".toByteArray()) }
                activity.stop()
                pass(1000)
                client.awaitState(State.Idle)
                server.await("line 99")
                client.abort()
            }
        }
    }

    @Test
    fun `initializer that Android starts makes what clients are attached to`() {
        LineServer().use { server ->
            val client = server.client()
            assertThrows(IllegalStateException::class.java) { KeeplineAndroid.attach(client) }
            Robolectric.setupContentProvider(KeeplineInitializer::class.java)
            val attached = KeeplineAndroid.attach(client, InBackground.Pause)
            val activity = activity()
            activity.create().start().stop()
            pass(1000)
            client.awaitState(State.Idle)
            activity.start()
            client.awaitState(State.Connected)
            attached.close()
            activity.stop()
            pass(1000)
            assertTrue(client.state.value.isUp)
            client.abort()
        }
    }

    private fun pass(millis: Long) = ShadowLooper.idleMainLooper(millis, TimeUnit.MILLISECONDS)

    private fun activity(): ActivityController<Activity> = Robolectric.buildActivity(Activity::class.java)
}
