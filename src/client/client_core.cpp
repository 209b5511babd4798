#include "client/client_core.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/start_thread.hpp"
#include "client/conductor_idle.hpp"
#include "client/consumer_attachment.hpp"
#include "client/producer_attachment.hpp"
#include "client/standalone_attachment.hpp"
#include "client/standalone_follower.hpp"
#include "client/standalone_owner.hpp"
#include "protocol/dispatch.hpp"
#include "transport/channel_uri.hpp"

namespace tensorpool::detail {
namespace {

// Closing waits at most so many cycles for the driver's answers to the last detaches.
constexpr int closing_cycles = 2000;
// How often a waiting caller is asked whether it goes on.
constexpr Nanos question_interval_ns = 100 * nanos_per_milli;
// Whose metadata is silent for so long may be succeeded by anybody.
constexpr int metadata_silence_periods = 5;
constexpr int small_company = 16;
constexpr Nanos rest_per_other_ns = nanos_per_milli / 4;
constexpr Nanos longest_rest_ns = 64 * nanos_per_milli;
constexpr Nanos shortest_stall_ns = 250 * nanos_per_milli;
constexpr Nanos longest_period_ns = 3600 * nanos_per_second;

Status check(const ClientOptions& options) {
  struct Setting {
    const char* name;
    Nanos value;
    Nanos most;
  };
  for (const Setting& setting :
       {Setting{"announce_period_ns", options.announce_period_ns, longest_period_ns},
        Setting{"qos_interval_ns", options.qos_interval_ns, longest_period_ns},
        Setting{"conductor_nap_ns", options.conductor_nap_ns, longest_period_ns},
        Setting{"attach_timeout_ns", options.attach_timeout_ns, std::numeric_limits<Nanos>::max()}}) {
    if (setting.value > 0 && setting.value <= setting.most) continue;
    return make_error(ErrorCode::invalid_argument, "ClientOptions::{} is {} ns; it must be at least 1 and at most {}",
                      setting.name, setting.value, setting.most);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ClientCore>> ClientCore::create(ClientOptions options, RandomSource random) {
  if (auto good = check(options); !good) return good.error();
  const bool invoker = options.invoker;
  const Idle idle = conductor_idle(options);
  std::unique_ptr<ClientCore> core(
      new ClientCore(std::move(options), random ? std::move(random) : RandomSource(random_u64)));
  if (auto opened = core->plane_.open(core->options_.wait && invoker ? core->options_.wait() : monotonic_now());
      !opened) {
    return opened.error();
  }
  if (!invoker) {
    const Status started = start_thread([&] {
      core->runner_ = std::make_unique<AgentRunner>(core->options_.name, idle, [raw = core.get()](Nanos now) {
        const int work = raw->do_work(now);
        if (work == 0) raw->make_room();
        return work;
      });
    });
    if (!started) return started.error();
  }
  return core;
}

ClientCore::ClientCore(ClientOptions options, RandomSource random)
    : options_(std::move(options)),
      policy_{options_.allowed_base_dirs},
      random_(std::move(random)),
      plane_(options_, random_) {}

ClientCore::~ClientCore() {
  if (runner_) runner_->stop();
  close();
}

// Gives back every lease, so that the next one to ask for these streams need not wait for an expiry.
void ClientCore::close() noexcept {
  Nanos now = pause();
  take_new(now);
  for (auto& attachment : attachments_) attachment->detach(now);
  // Without a media driver there is nobody to tell.
  for (int cycle = 0; cycle < closing_cycles && plane_.up() && !attachments_.empty(); ++cycle) {
    do_work(now);
    now = pause();
  }
}

Nanos ClientCore::pause() {
  if (options_.invoker && options_.wait) return options_.wait();
  std::this_thread::sleep_for(std::chrono::nanoseconds(first_conductor_nap_ns(options_)));
  return monotonic_now();
}

// --- The duty cycle ---

int ClientCore::do_work(Nanos now) noexcept {
  note_stall(now);
  int work = take_new(now);
  follow_connection(now, work);
  work += read_messages(now) + read_metadata(now);
  for (auto& attachment : attachments_) work += attachment->do_work(now);
  std::erase_if(attachments_, [](const auto& attachment) { return attachment->finished(); });
  if (malformed_ != malformed_told_ && now >= next_malformed_report_) {
    next_malformed_report_ = now + nanos_per_second;
    emit(EventKind::log,
         fmt::format("{} malformed messages were ignored on the control, announce, QoS and metadata streams so far",
                     malformed_));
    malformed_told_ = malformed_;
  }
  return work;
}

// The conductor of each of a host's clients looks at what every other client publishes: the cost of all grows with the
// square of their number. The more they are, the longer they rest, or a hundred leave nothing of two cores to others.
void ClientCore::make_room() const {
  const int others = plane_.company() - small_company;
  if (others > 0)
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(others * rest_per_other_ns, longest_rest_ns)));
}

// A host loop that stood still. A lease lives through it or not by its grace; the events that follow tell which.
void ClientCore::note_stall(Nanos now) {
  const Nanos stood = last_cycle_ == 0 ? 0 : now - last_cycle_;
  last_cycle_ = now;
  // Without a connection nothing is late.
  if (stood <= std::max(options_.announce_period_ns, shortest_stall_ns) || !plane_.up()) return;
  std::string ran_out;
  for (const auto& attachment : attachments_) {
    if (const auto since = attachment->overdue(now)) {
      ran_out +=
          fmt::format("; a lease of stream {} ran out {} ms ago", attachment->stream_id(), *since / nanos_per_milli);
    }
  }
  emit(EventKind::stalled,
       fmt::format("no duty cycle for {} ms: keepalives, announces and QoS were late{}. {}", stood / nanos_per_milli,
                   ran_out.empty() ? "; no lease ran out" : ran_out,
                   options_.invoker ? "Call do_work more often, or give the client a thread of its own"
                                    : "The process was stopped, or its machine has too much to do"));
}

int ClientCore::take_new(Nanos now) {
  if (!has_new_.load(std::memory_order_acquire)) return 0;
  const std::lock_guard lock(new_mutex_);
  has_new_.store(false, std::memory_order_relaxed);
  const int taken = static_cast<int>(new_.size());
  for (auto& attachment : new_) {
    attachment->start(now);
    attachments_.push_back(std::move(attachment));
  }
  new_.clear();
  followers_.insert(followers_.end(), new_followers_.begin(), new_followers_.end());
  new_followers_.clear();
  return taken;
}

void ClientCore::follow_connection(Nanos now, int& work) {
  switch (plane_.tick(now, work)) {
    case ControlPlane::Change::none:
      return;
    case ControlPlane::Change::lost:
      for (auto& attachment : attachments_) attachment->on_connection_lost();
      return emit(EventKind::media_driver_lost,
                  fmt::format("the connection to the media driver is lost ({}); reconnecting: {}", plane_.trouble(),
                              plane_.describe()));
    case ControlPlane::Change::back:
      for (auto& attachment : attachments_) attachment->start(now);
      return emit(EventKind::media_driver_back, fmt::format("reconnected: {}", plane_.describe()));
  }
}

template <class Message>
void ClientCore::pass_on(const Message& message, Nanos now) {
  for (auto& attachment : attachments_) attachment->on(message, now);
}

template <class F>
void ClientCore::each_of(std::uint32_t stream_id, F&& f) {
  for (auto& attachment : attachments_) {
    if (attachment->stream_id() == stream_id) f(*attachment);
  }
}

int ClientCore::read_messages(Nanos now) {
  struct Reader {
    ClientCore& core;
    Nanos now;
    void on(const protocol::ShmAttachResponse& m) { core.pass_on(m, now); }
    void on(const protocol::ShmDetachResponse& m) { core.pass_on(m, now); }
    void on(const protocol::ShmLeaseRevoked& m) {
      core.pass_on(m, now);
      core.each_of(m.stream_id, [&](Attachment& attachment) {
        if (m.role == protocol::Role::consumer) {
          attachment.on_consumer_gone(m.client_id);
        } else {
          attachment.on_producer_revoked(m, now);
        }
      });
    }
    void on(const protocol::ShmLeaseKeepalive& m) { core.pass_on(m, now); }
    void on(const protocol::ShmDriverShutdown& m) { core.pass_on(m, now); }
    void on(const protocol::ShmPoolAnnounce& m) {
      const Nanos realtime = m.announce_clock_domain == protocol::ClockDomain::realtime_synced ? realtime_now() : 0;
      for (auto& attachment : core.attachments_) attachment->on_announce(m, now, realtime);
    }
    void on(const protocol::ConsumerHello& m) {
      core.each_of(m.stream_id, [&](Attachment& attachment) {
        attachment.on_consumer_seen(m.consumer_id, now);
        attachment.on_hello(m, now);
      });
    }
    void on(const protocol::ConsumerConfig& m) {
      core.each_of(m.stream_id, [&](Attachment& attachment) { attachment.on_consumer_config(m, now); });
    }
    void on(const protocol::QosConsumer& m) {
      core.each_of(m.stream_id, [&](Attachment& attachment) { attachment.on_consumer_seen(m.consumer_id, now); });
    }
  };
  Reader reader{*this, now};
  return plane_.poll([&](std::span<const std::byte> bytes) {
    const auto outcome =
        protocol::dispatch<protocol::ShmAttachResponse, protocol::ShmDetachResponse, protocol::ShmLeaseRevoked,
                           protocol::ShmLeaseKeepalive, protocol::ShmDriverShutdown, protocol::ShmPoolAnnounce,
                           protocol::ConsumerHello, protocol::ConsumerConfig, protocol::QosConsumer>(bytes, reader);
    if (outcome.malformed()) ++malformed_;
  });
}

void ClientCore::emit(EventKind kind, std::string message) const {
  if (options_.on_event) options_.on_event({.kind = kind, .message = std::move(message)});
}

// --- Attaching ---

AttachSettings ClientCore::settings(protocol::Role role, Nanos attach_timeout_ns) const {
  AttachSettings settings;
  settings.role = role;
  settings.attach_timeout_ns = attach_timeout_ns != 0 ? attach_timeout_ns : options_.attach_timeout_ns;
  settings.announce_period_ns = options_.announce_period_ns;
  settings.predecessor_ns = options_.predecessor_ns;
  return settings;
}

void ClientCore::add(std::unique_ptr<Attachment> attachment) {
  const std::lock_guard lock(new_mutex_);
  new_.push_back(std::move(attachment));
  has_new_.store(true, std::memory_order_release);
}

ClientCore::Pending<ProducerCore> ClientCore::begin_attach(const ProducerOptions& options) {
  AttachSettings wanted = settings(protocol::Role::producer, options.attach_timeout_ns);
  wanted.stream_id = options.stream_id;
  wanted.client_id = options.client_id;
  wanted.expected_layout_version = options.expected_layout_version;
  wanted.create = options.create;
  wanted.desired_node_id = options.desired_node_id;
  auto core = std::make_shared<ProducerCore>(options);
  const ClientContext context{options_, plane_, policy_};
  std::unique_ptr<Attachment> attachment;
  if (options.standalone) {
    attachment = std::make_unique<StandaloneProducerAttachment>(
        context, std::make_unique<StandaloneOwner>(wanted, *options.standalone, random_), options.standalone->base_dir,
        core);
  } else {
    attachment = std::make_unique<ProducerAttachment>(context, std::make_unique<AttachSession>(wanted, random_), core);
  }
  Pending<ProducerCore> pending{std::move(core), attachment->ticket()};
  add(std::move(attachment));
  return pending;
}

ClientCore::Pending<ConsumerCore> ClientCore::begin_attach(const ConsumerOptions& options) {
  AttachSettings wanted = settings(protocol::Role::consumer, options.attach_timeout_ns);
  wanted.stream_id = options.stream_id;
  wanted.client_id = options.client_id;
  wanted.expected_layout_version = options.expected_layout_version;
  wanted.create = options.create;
  wanted.require_hugepages = options.require_hugepages;
  auto core = std::make_shared<ConsumerCore>(options);
  std::unique_ptr<Tenancy> tenancy;
  if (options.standalone) {
    tenancy = std::make_unique<StandaloneFollower>(wanted, random_);
  } else {
    tenancy = std::make_unique<AttachSession>(wanted, random_);
  }
  auto attachment =
      std::make_unique<ConsumerAttachment>(ClientContext{options_, plane_, policy_}, std::move(tenancy), core);
  Pending<ConsumerCore> pending{std::move(core), attachment->ticket()};
  add(std::move(attachment));
  return pending;
}

Status ClientCore::wait(AttachTicket& ticket) {
  Nanos next_question = 0;
  while (!ticket.settled()) {
    const Nanos now = options_.invoker ? pause() : monotonic_now();
    if (options_.keep_waiting && now >= next_question) {
      next_question = now + question_interval_ns;
      if (!options_.keep_waiting()) return Error{ErrorCode::closed, "the caller gave up waiting for the driver"};
    }
    if (options_.invoker) {
      do_work(now);
    } else {
      ticket.wait_for(question_interval_ns);
    }
  }
  return ticket.outcome();
}

// --- Metadata ---

Result<std::shared_ptr<MetadataFollower>> ClientCore::follow_metadata(MetadataOptions options) {
  if (auto channel = transport::metadata_channel(options_.metadata.channel); !channel) return channel.error();
  auto follower =
      std::make_shared<MetadataFollower>(std::move(options), metadata_silence_periods * options_.announce_period_ns);
  const std::lock_guard lock(new_mutex_);
  new_followers_.push_back(follower);
  has_new_.store(true, std::memory_order_release);
  return follower;
}

// The stream is subscribed to as long as somebody follows it.
void ClientCore::listen_to_metadata() {
  std::erase_if(followers_, [](const auto& follower) { return follower->closed(); });
  if (auto listening = plane_.listen_to_metadata(!followers_.empty()); !listening) {
    emit(EventKind::log, fmt::format("metadata cannot be followed: {}", listening.error().message));
  }
}

int ClientCore::read_metadata(Nanos now) {
  listen_to_metadata();
  if (followers_.empty()) return 0;
  struct Reader {
    ClientCore& core;
    Nanos now;
    void on(const protocol::DataSourceAnnounce& m) {
      for (auto& follower : core.followers_) follower->on(m, now);
    }
    void on(const protocol::DataSourceMeta& m) {
      for (auto& follower : core.followers_) follower->on(m, now);
    }
    void on(const protocol::MetaBlobAnnounce& m) { blob(m.stream_id); }
    void on(const protocol::MetaBlobChunk& m) { blob(m.stream_id); }
    void on(const protocol::MetaBlobComplete& m) { blob(m.stream_id); }
    void blob(std::uint32_t stream_id) {
      for (auto& follower : core.followers_) follower->on_blob(stream_id);
    }
  };
  Reader reader{*this, now};
  return plane_.poll_metadata([&](std::span<const std::byte> bytes) {
    const auto outcome =
        protocol::dispatch<protocol::DataSourceAnnounce, protocol::DataSourceMeta, protocol::MetaBlobAnnounce,
                           protocol::MetaBlobChunk, protocol::MetaBlobComplete>(bytes, reader);
    if (outcome.malformed()) ++malformed_;
  });
}

}  // namespace tensorpool::detail
