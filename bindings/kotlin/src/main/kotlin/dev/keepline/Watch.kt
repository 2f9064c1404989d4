/** What is told of a client beside its messages, without keeping it alive: its state, its events. */
package dev.keepline

import dev.keepline.internal.ffi.ForeignClient
import dev.keepline.internal.ffi.ForeignEvents
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch
import java.util.concurrent.Executors
import java.util.function.Consumer

internal object Watch {
    /** What is only awaited here, and never computed, runs in it. */
    val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    /** The one thread of listeners, made with the first. */
    private val listeners by lazy {
        val threads = Executors.newSingleThreadExecutor { work ->
            Thread(work, "keepline-listeners").apply { isDaemon = true }
        }
        CoroutineScope(SupervisorJob() + threads.asCoroutineDispatcher())
    }

    /** 64: a batch that a listener works through without anybody waiting. */
    private const val BATCH = 64u

    fun state(core: ForeignClient): StateFlow<State> {
        val known = MutableStateFlow(named<State>(crossing { core.state() }))
        val reader = crossing { core.events(core.lastEvent()) }
        scope.launch { follow(reader, known) }
        return known.asStateFlow()
    }

    fun listen(reader: ForeignEvents, listener: Consumer<Event>): AutoCloseable {
        val telling = listeners.launch {
            reader.use {
                pull(it) { event ->
                    try {
                        listener.accept(event)
                    } catch (error: Exception) {
                        val thread = Thread.currentThread()
                        thread.uncaughtExceptionHandler.uncaughtException(thread, error)
                    }
                }
            }
        }
        return AutoCloseable { telling.cancel() }
    }

    /** A flow whose collectors have a reader each; there is none any more if the client was collected. */
    class Events(private val open: () -> ForeignEvents?) : Flow<Event> {
        override suspend fun collect(collector: FlowCollector<Event>) {
            open()?.use { pull(it, collector) }
        }
    }

    private suspend fun follow(reader: ForeignEvents, known: MutableStateFlow<State>) = reader.use {
        while (known.value != State.Closed) {
            known.value = named(it.stateAfter(known.value.wireName, null))
        }
    }

    private suspend fun pull(reader: ForeignEvents, collector: FlowCollector<Event>) {
        while (true) {
            val batch = crossing { reader.next(BATCH, null, null) }
            if (batch.isEmpty()) return
            for (record in batch) collector.emit(Event.of(record))
        }
    }
}
