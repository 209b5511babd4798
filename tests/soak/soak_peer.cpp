// soak_peer: a process of the soak (tests/verify/soak), which starts, stops and kills it.
//   soak_peer producer CONFIG stream=N bytes=N rate=HZ notes=FILE     a camera
//   soak_peer stage CONFIG in=N,N,N out=N notes=FILE                  each frame of its inputs becomes a derived one
//   soak_peer consumer CONFIG in=N[,N...] way=copies|reads|looks [derived=N latest=1 own=1 hz=N park=1 dawdle_us=N]
//   soak_peer witness CONFIG in=N,N,N derived=N out=N notes=FILE      consumes all and publishes, and is never killed
//   soak_peer intruder CONFIG stream=N bytes=N rate=HZ notes=FILE     a second producer: tries once, says what it heard
//   soak_peer churn CONFIG in=N[,N...] ms=N                           attaches and detaches, one after the other
//   soak_peer forger CONFIG ms=N seed=N                               garbage, forged and repeated messages
// It connects and attaches as often as it takes. What it says: peer_lines.hpp. TENSORPOOL_SOAK_MUTANT makes it do
// wrong, for the test of the soak: "wrong byte", "unheard frame", "quits".
#include <fmt/format.h>

#include <csignal>
#include <sstream>
#include <thread>

#include "apps/config/client_setup.hpp"
#include "forging.hpp"
#include "reader.hpp"
#include "tensorpool/tensorpool.hpp"
#include "writer.hpp"

namespace tensorpool::soak {
namespace {

using Arguments = std::map<std::string, std::string>;

std::uint64_t number(const Arguments& arguments, const std::string& name, std::uint64_t otherwise = 0) {
  const auto found = arguments.find(name);
  return found == arguments.end() ? otherwise : std::strtoull(found->second.c_str(), nullptr, 10);
}

std::vector<std::uint32_t> streams(const Arguments& arguments, const std::string& name) {
  std::vector<std::uint32_t> out;
  const auto found = arguments.find(name);
  if (found == arguments.end()) return out;
  std::istringstream list(found->second);
  for (std::string one; std::getline(list, one, ',');) out.push_back(static_cast<std::uint32_t>(std::stoul(one)));
  return out;
}

void nap(Nanos duration) { std::this_thread::sleep_for(std::chrono::nanoseconds(duration)); }

Json error_json(const Error& error) {
  return {{"code", std::string(to_string(error.code))}, {"message", error.message}};
}

class Peer {
 public:
  Peer(std::string role, const std::string& config_path, Arguments arguments)
      : role_(std::move(role)), arguments_(std::move(arguments)) {
    auto config = apps::load_node_config(config_path, apps::process_environment());
    if (!config) {
      say("failed", error_json(config.error()));
      std::exit(2);
    }
    options_ = apps::consumer_client_options(*config, *config);
    options_.name = "soak " + role_;
    options_.qos_interval_ns = nanos_per_second / 10;
    options_.attach_timeout_ns = 5 * nanos_per_second;
    options_.keep_waiting = [this] { return breathe(); };
    options_.on_event = [](const Event& event) {
      say("event",
          {{"kind", std::string(to_string(event.kind))}, {"stream", event.stream_id}, {"message", event.message}});
    };
  }

  int run() {
    if (role_ == "forger") return forge(options_, number(arguments_, "ms"), number(arguments_, "seed"));
    if (role_ == "intruder") return intrude();
    if (role_ == "churn") return churn();
    if (!connect_patiently()) return 0;
    return live();
  }

 private:
  // Between two waits: says that it lives, and whether it may go on.
  bool breathe() {
    ticker_.tick([this] { return figures(); });
    return commands_.heed();
  }

  bool connect_patiently() {
    while (breathe()) {
      auto client = Client::connect(options_);
      if (client) {
        client_.emplace(std::move(*client));
        return true;
      }
      say("refused", error_json(client.error()));
      nap(nanos_per_second / 10);
    }
    return false;
  }

  template <class Attach>
  auto patiently(Attach&& attach) -> std::optional<std::decay_t<decltype(*attach())>> {
    while (breathe()) {
      auto attached = attach();
      if (attached) return std::move(*attached);
      say("refused", error_json(attached.error()));
      nap(nanos_per_second / 20);
    }
    return std::nullopt;
  }

  bool attach_all() {
    for (const std::uint32_t stream : streams(arguments_, "in")) {
      if (!attach_reader(stream, false)) return false;
    }
    for (const std::uint32_t stream : streams(arguments_, "derived")) {
      if (!attach_reader(stream, true)) return false;
    }
    const auto out = static_cast<std::uint32_t>(number(arguments_, "out", number(arguments_, "stream")));
    if (out == 0) return true;
    auto producer =
        patiently([&] { return client_->attach_producer({.stream_id = out, .wake_consumers = out % 2 == 1}); });
    if (producer) writer_.emplace(std::move(*producer), arguments_.at("notes"));
    return producer.has_value();
  }

  bool attach_reader(std::uint32_t stream, bool derived) {
    const ConsumerOptions wanted{.stream_id = stream,
                                 .latest_only = number(arguments_, "latest") != 0,
                                 .max_rate_hz = static_cast<double>(number(arguments_, "hz")),
                                 .own_streams = number(arguments_, "own") != 0};
    auto consumer = patiently([&] { return client_->attach_consumer(wanted); });
    if (!consumer) return false;
    const std::string way = arguments_.count("way") != 0 ? arguments_.at("way") : "copies";
    readers_.emplace_back(std::move(*consumer),
                          way == "reads"   ? Reader::Way::reads
                          : way == "looks" ? Reader::Way::looks
                                           : Reader::Way::copies,
                          derived);
    return true;
  }

  // Attached until the end of standard input.
  int live() {
    if (!attach_all()) return 0;
    say("up");
    const bool is_stage = role_ == "stage";
    const char* const set = std::getenv("TENSORPOOL_SOAK_MUTANT");
    const std::string mutant = set != nullptr ? set : "";
    if (writer_ && !is_stage && mutant == "wrong byte") writer_->spoil_frames();
    if (writer_ && !is_stage && mutant == "unheard frame") writer_->overstate();
    const Nanos quits_at = role_ == "consumer" && mutant == "quits" ? monotonic_now() + nanos_per_second : 0;
    const Nanos period = nanos_per_second / static_cast<Nanos>(number(arguments_, "rate", 100));
    const Nanos dawdle = static_cast<Nanos>(number(arguments_, "dawdle_us")) * nanos_per_micro;
    const auto bytes = static_cast<std::size_t>(number(arguments_, "bytes", derived_bytes));
    const Reader::Sink derive = [this](const Origin& origin) {
      if (writer_ && !commands_.paused()) writer_->publish_derived(origin);
    };
    bool rests = false;
    Nanos due = monotonic_now();
    while (breathe()) {
      if (quits_at != 0 && monotonic_now() > quits_at) return 7;
      int work = 0;
      for (Reader& reader : readers_) work += reader.poll(16, is_stage ? derive : Reader::Sink{}, dawdle);
      const Nanos now = monotonic_now();
      if (writer_ && !is_stage && now >= due) {
        due = std::max(due + period, now - nanos_per_second / 10);
        if (!commands_.paused()) writer_->step(bytes);
        if (commands_.paused() && !rests) writer_->last_frame(bytes);
        rests = commands_.paused();
        ++work;
      }
      if (work != 0) continue;
      if (number(arguments_, "park") != 0) {
        readers_.front().wait(nanos_per_second / 5);
      } else {
        nap(writer_ && !is_stage ? std::clamp<Nanos>(due - monotonic_now(), 0, nanos_per_milli) : nanos_per_milli);
      }
    }
    say("tick", figures());
    return 0;
  }

  Json figures() const {
    Json readers = Json::array();
    for (const Reader& reader : readers_) readers.push_back(reader.figures());
    Json all{{"paused", commands_.paused()}, {"readers", std::move(readers)}};
    if (writer_) all["writer"] = writer_->figures();
    return all;
  }

  // Somebody who does not know that there is a producer already.
  int intrude() {
    options_.attach_timeout_ns = nanos_per_second;
    auto client = Client::connect(options_);
    if (!client) return say("refused", error_json(client.error())), 0;
    auto producer = client->attach_producer({.stream_id = static_cast<std::uint32_t>(number(arguments_, "stream"))});
    if (!producer) return say("refused", error_json(producer.error())), 0;
    say("up");
    Writer writer(std::move(*producer), arguments_.at("notes"));
    for (int i = 0; i < 20 && breathe(); ++i) {
      writer.step(static_cast<std::size_t>(number(arguments_, "bytes")));
      nap(10 * nanos_per_milli);
    }
    return 0;
  }

  int churn() {
    const auto all = streams(arguments_, "in");
    const Nanos end = monotonic_now() + static_cast<Nanos>(number(arguments_, "ms")) * nanos_per_milli;
    std::uint64_t attached = 0;
    while (monotonic_now() < end && breathe()) {
      auto client = Client::connect(options_);
      if (!client) {
        say("refused", error_json(client.error()));
        nap(nanos_per_second / 10);
        continue;
      }
      for (int i = 0; i < 8 && monotonic_now() < end && breathe(); ++i) {
        auto consumer = client->attach_consumer({.stream_id = all[attached % all.size()], .own_streams = i % 4 == 3});
        if (!consumer) {
          say("refused", error_json(consumer.error()));
          continue;
        }
        Reader reader(std::move(*consumer), Reader::Way::copies, false);
        reader.poll();
        ++attached;
      }
    }
    say("done", {{"attached", attached}});
    return 0;
  }

  std::string role_;
  Arguments arguments_;
  ClientOptions options_;
  Commands commands_;
  Ticker ticker_;
  std::optional<Client> client_;
  std::vector<Reader> readers_;
  std::optional<Writer> writer_;
};

int run(const std::vector<std::string>& words) {
  if (words.size() < 3) return 2;
  Arguments arguments;
  for (auto word = words.begin() + 3; word != words.end(); ++word) {
    const std::size_t equals = word->find('=');
    arguments[word->substr(0, equals)] = word->substr(equals + 1);
  }
  return Peer(words[1], words[2], std::move(arguments)).run();
}

}  // namespace
}  // namespace tensorpool::soak

int main(int argc, char** argv) { return tensorpool::soak::run({argv, argv + argc}); }
