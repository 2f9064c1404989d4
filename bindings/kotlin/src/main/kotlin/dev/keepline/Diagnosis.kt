/** What an examination found. */
package dev.keepline

import dev.keepline.internal.ffi.DiagnosisRecord
import kotlin.time.Duration

/** Why a client does not connect. `toString` is the verdict. */
public data class Diagnosis(
    /** The endpoint as it was given. */
    val endpoint: String,
    /** Whether the way is open to its end. There may be warnings. */
    val isHealthy: Boolean,
    /** The stage where the way ends. */
    val failed: Stage?,
    /** Why it ends there. */
    val cause: Cause?,
    /** Where it ends, why, and what to look at next, in words. */
    val verdict: String,
    /** The stages that were reached, in their order. */
    val stages: List<ExaminedStage>,
) {
    override fun toString(): String = verdict

    internal companion object {
        fun of(record: DiagnosisRecord): Diagnosis = Diagnosis(
            record.endpoint, record.healthy, record.failed?.let { named<Stage>(it) },
            record.cause?.let { named<Cause>(it) }, record.verdict,
            record.stages.map { stage ->
                ExaminedStage(
                    named(stage.name), named(stage.finding), stage.cause?.let { named<Cause>(it) },
                    micros(stage.tookUs)!!, stage.facts.map { it.name to it.value },
                )
            },
        )
    }
}

/** One stage that was examined. */
public data class ExaminedStage(
    /** Which one. */
    val name: Stage,
    /** What it came to. */
    val finding: Finding,
    /** Why, as a client would tell it. */
    val cause: Cause?,
    /** How long it took. */
    val took: Duration,
    /** What was seen, and what each is about. */
    val facts: List<Pair<String, String>>,
)
