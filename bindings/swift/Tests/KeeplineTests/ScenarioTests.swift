import Foundation
import Keepline
import XCTest

/// The scenarios of `bindings/contract/scenarios`, played with the Swift client. Every language plays the same ones.
final class ScenarioTests: XCTestCase {
    /// They wait far more than they work.
    private static let atOnce = 12
    /// For one step; the longest takes a few seconds on an idle machine.
    private static let limit = Duration.seconds(40)

    func testEveryScenarioGoesAsItIsWritten() async throws {
        let directory = URL(fileURLWithPath: try place("KEEPLINE_SOURCE") + "/bindings/contract/scenarios")
        let told = URL(fileURLWithPath: try place("KEEPLINE_SCENARIOS"))
        let files = try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "json" }
        XCTAssertGreaterThanOrEqual(files.count, 25)
        let results = await playAll(files)
        let result = try JSONSerialization.data(
            withJSONObject: ["language": "swift", "results": results], options: [.prettyPrinted, .sortedKeys])
        try result.write(to: told)
        for (name, result) in results.sorted(by: { $0.key < $1.key }) { XCTAssertEqual(result, "passed", name) }
    }

    private func playAll(_ files: [URL]) async -> [String: String] {
        await withTaskGroup(of: (String, String).self) { group in
            var waiting = files[...]
            for file in waiting.prefix(Self.atOnce) { group.addTask { await Self.play(file) } }
            waiting = waiting.dropFirst(Self.atOnce)
            var results: [String: String] = [:]
            for await (name, result) in group {
                results[name] = result
                if let file = waiting.popFirst() { group.addTask { await Self.play(file) } }
            }
            return results
        }
    }

    /// Plays one scenario; what went another way is the result.
    private static func play(_ file: URL) async -> (String, String) {
        let name = file.deletingPathExtension().lastPathComponent
        do {
            let chaos = try Chaos()
            let scenario = try await Scenario(Data(contentsOf: file), chaos)
            let player = Player(chaos: chaos, config: scenario.config, hooks: scenario.hooks)
            for (index, step) in scenario.steps.enumerated() {
                do {
                    try await within(limit) { try await player.step(step) }
                } catch {
                    await player.end()
                    return (name, "step \(index + 1), \"\(step)\": \(error)")
                }
            }
            await player.end()
        } catch {
            return (name, "\(error)")
        }
        return (name, "passed")
    }
}
