// StreamWatch: what the messages of a tensorpool say about its streams, producers and consumers; the core of the
// monitor and of the supervisor. It takes messages and `now` and keeps tables; it sends and maps nothing. Whatever it
// is told may be forged: tables and events are bounded, an old epoch changes nothing while the newer one is alive, and
// what is not believed or does not fit is counted.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/silence_watch.hpp"
#include "client/seq_rate.hpp"
#include "client/sightings.hpp"
#include "protocol/lease_label.hpp"
#include "protocol/messages.hpp"
#include "tensorpool/monitor.hpp"

namespace tensorpool::detail {

// A lease as the driver's counters tell of it.
struct LeaseFact {
  protocol::LeaseLabel label;
  std::uint64_t keepalives = 0;
  Nanos expires_at = 0;
};

// Figures of a client from its own counters.
struct ClientFact {
  protocol::Role role = protocol::Role::consumer;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  std::optional<std::uint64_t> published{};        // a producer's frames so far
  std::optional<std::uint64_t> delivered{};        // a consumer's frames so far
  std::optional<std::uint64_t> bytes{};            // payload so far
  std::optional<std::uint64_t> latency_samples{};  // a consumer's
  std::optional<std::uint64_t> latency_sum_ns{};
  std::optional<std::array<std::uint64_t, loss_causes>> lost{};  // a consumer's, by LossCause
};

class StreamWatch {
 public:
  struct Settings {
    std::uint32_t stream_id = 0;  // 0 = all
    Nanos liveness_timeout_ns = 5 * nanos_per_second;
    Nanos check_interval_ns = 100 * nanos_per_milli;
    Nanos no_frames_timeout_ns = 0;  // 0 = never
    std::vector<NoFramesTimeout> no_frames_timeouts{};
    std::size_t max_streams = 1024;
    std::size_t max_clients = 4096;  // of each role
    std::size_t events_per_second = 200;
  };

  explicit StreamWatch(const Settings& settings);

  // REQUIRES: an announce is fresh.
  void on(const protocol::ShmPoolAnnounce& announce, Nanos now);
  void on(const protocol::QosProducer& qos, Nanos now);
  void on(const protocol::QosConsumer& qos, Nanos now);
  void on(const protocol::ConsumerHello& hello, Nanos now);
  void on(const protocol::ShmLeaseKeepalive& keepalive, Nanos now);
  void on(const protocol::ShmLeaseRevoked& revoked, Nanos now);
  void on(const protocol::ShmDriverShutdown& shutdown, Nanos now);
  void on(const protocol::FrameDescriptor& descriptor, Nanos now);
  // All leases there are.
  void on_leases(const std::vector<LeaseFact>& leases, Nanos now);
  // What clients that are known say of themselves.
  void on_figures(const std::vector<ClientFact>& clients, Nanos now);
  void on_malformed() noexcept { ++counts_.malformed; }
  // Connected again after a while: nobody is blamed for a silence that was ours.
  void on_reconnected(Nanos now);

  // Judges who is alive, once per check interval; 1 if it did. REQUIRES: what had arrived was read before, as far as
  // that is possible: a caller who paused blames nobody for what waited meanwhile.
  int check(Nanos now);

  // What happened since the last call.
  [[nodiscard]] std::vector<MonitorEvent> take_events();
  // Puts an event of the caller's with the others.
  void tell(MonitorEvent event, Nanos now);
  [[nodiscard]] MonitorSnapshot snapshot(Nanos now) const;

  [[nodiscard]] const MonitorCounts& counts() const noexcept { return counts_; }
  // Without copying: f(stream_id, view, liveness). The views lack what snapshot() adds, but for frames_missing.
  template <class F>
  void each_producer(F&& f) const {
    for (const auto& [key, entry] : producers_.all()) f(key.first, entry.view, entry.liveness);
  }
  template <class F>
  void each_consumer(F&& f) const {
    for (const auto& [key, entry] : consumers_.all()) f(key.first, entry.view, entry.liveness);
  }

 private:
  // A count that goes up, or begins anew with the same id in a new life.
  struct Figure {
    std::optional<std::uint64_t> count;
    SeqRate rate;
    void see(std::optional<std::uint64_t> now_counted, Nanos now) noexcept;
  };
  struct ClientEntry : Sighting {
    SeqRate rate;
    Figure bytes;
    Nanos figures_at = 0;
    std::optional<LeaseFact> lease;
  };
  struct ProducerEntry : ClientEntry {
    ProducerView view;
    SilenceWatch silence;
    std::optional<std::uint64_t> published;  // as its counters said at counted_at
    Nanos counted_at = 0;
    bool heard = false;        // by QoS, since it was last judged
    bool frames_came = false;  // likewise
  };
  struct ConsumerEntry : ClientEntry {
    ConsumerView view;
    Figure delivered;  // a rate-limited consumer passes more than it delivers, and loses none of it
    std::uint64_t latency_samples = 0;
    std::uint64_t latency_sum_ns = 0;
    std::uint64_t passed = 0;  // sequences that were not lost, since it was first heard of
    std::uint64_t drops_told = 0;
    Nanos drops_told_at = 0;
  };
  // Descriptors of the current second, and of the one before for the snapshot.
  struct Latencies {
    std::optional<Nanos> least;
    std::optional<Nanos> most;
    void see(Nanos latency) noexcept;
  };
  struct StreamEntry {
    StreamView view;
    Nanos announced_at = 0;
    std::uint64_t newest_seq = 0;  // of the view's epoch, by descriptors
    bool descriptor_seen = false;
    std::uint64_t descriptors = 0;
    SeqRate rate;
    Latencies latencies, latencies_before;
    Nanos latencies_since = 0;
  };
  using Key = std::pair<std::uint32_t, std::uint32_t>;

  [[nodiscard]] bool wanted(std::uint32_t stream_id) const noexcept {
    return stream_id != 0 && (settings_.stream_id == 0 || settings_.stream_id == stream_id);
  }
  StreamEntry* stream_of(const protocol::ShmPoolAnnounce& announce, Nanos now);
  void driver_heard(Nanos now);
  template <class Entry>
  Entry* sign_of_life(Sightings<Entry>& table, Key key, std::uint64_t lease_id, Nanos now);
  template <class Entry>
  void end_lease(Sightings<Entry>& table, Key key, const protocol::ShmLeaseRevoked& revoked, Nanos now);
  void take_published(ProducerEntry& entry, Key key, const ClientFact& fact, Nanos now);
  void judge_frames(ProducerEntry& entry, Key key, Nanos now);
  static void forget_silence(ProducerEntry& entry) noexcept;
  static void forget_silence(ConsumerEntry&) noexcept {}
  [[nodiscard]] Nanos no_frames_timeout(std::uint32_t stream_id) const noexcept;
  template <class Entry>
  void judge(Sightings<Entry>& table, Nanos now);
  template <class Entry>
  void take_lease(Sightings<Entry>& table, const LeaseFact& fact, Nanos now);
  template <class Entry>
  void take_bytes(Entry& entry, const ClientFact& fact, Nanos now);
  static void take_latency(ConsumerEntry& entry, const ClientFact& fact);
  void count_drops(ConsumerEntry& entry, Key key, Nanos now);
  [[nodiscard]] std::optional<double> bytes_per_s(Key producer) const;
  [[nodiscard]] std::optional<std::uint64_t> newest_seq(std::uint32_t stream_id, std::uint64_t epoch);

  const Settings settings_;
  std::map<std::uint32_t, StreamEntry> streams_;
  Sightings<ProducerEntry> producers_;
  Sightings<ConsumerEntry> consumers_;
  DriverState driver_ = DriverState::unknown;
  Nanos driver_heard_at_ = 0;
  std::optional<Nanos> checked_at_;
  MonitorCounts counts_;
  std::vector<MonitorEvent> events_;
  Nanos events_since_ = 0;
  std::size_t events_told_ = 0;
};

}  // namespace tensorpool::detail
