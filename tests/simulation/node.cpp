#include "simulation/node.hpp"

#include "transport/loopback/faults.hpp"

namespace tensorpool::simulation {

Node::Node(Stage& stage, const NodePlan& plan, std::string name) : stage_(stage), plan_(plan), name_(std::move(name)) {
  for (std::size_t i = 0; i < plan_.writers.size(); ++i) {
    writers_.push_back(std::make_unique<Writer>(stage, plan_.writers[i], fmt::format("{}.writer{}", name_, i)));
  }
  for (std::size_t i = 0; i < plan_.readers.size(); ++i) {
    readers_.push_back(std::make_unique<Reader>(stage, plan_.readers[i], fmt::format("{}.reader{}", name_, i)));
  }
}

Node::~Node() {
  if (life_ == Life::dying) {
    bury();
  } else {
    end(0);
  }
}

ClientOptions Node::options() {
  ClientOptions options;
  options.aeron_dir = stage_.bus;
  options.announce.stream_id = static_cast<std::int32_t>(stage_.setup.driver.announce_stream_id());
  options.allowed_base_dirs = {stage_.base_dir};
  options.name = name_;
  options.attach_timeout_ns = nanos_per_second;
  options.qos_interval_ns = stage_.setup.period_ns;
  options.announce_period_ns = stage_.setup.period_ns;
  options.counters = plan_.counters;
  options.invoker = true;
  options.wait = [this] { return stage_.wait(); };
  options.on_event = [this](const Event& event) {
    stage_.journal.note("{} {} {}: {}", name_, to_string(event.kind), event.client_id, event.message);
  };
  return options;
}

void Node::start() {
  auto created = detail::ClientCore::create(options());
  if (!created) {
    until_ = stage_.clock.now + stage_.random.between(1, 100) * nanos_per_milli;
    return;
  }
  ++stage_.figures.lives;
  stage_.journal.note("{} starts", name_);
  client_ = *std::move(created);
  life_ = Life::up;
  conductor_stopped_until_ = application_stopped_until_ = 0;
  if (!plan_.follows_metadata) return;
  if (auto followed = client_->follow_metadata({})) metadata_ = *std::move(followed);
}

void Node::turn() {
  if (life_ == Life::down && stage_.clock.now >= until_) start();
  if (life_ == Life::dying && stage_.clock.now >= until_) bury();
  if (life_ != Life::up) return;
  const bool application_first = stage_.random.chance(50);
  if (application_first) application();
  if (stage_.clock.now >= conductor_stopped_until_) {
    for (auto cycles = stage_.random.between(1, 3); cycles > 0; --cycles) client_->do_work(stage_.clock.now);
  }
  if (!application_first) application();
}

void Node::application() {
  if (stage_.clock.now < application_stopped_until_) return;
  for (const auto& writer : writers_) {
    if (stage_.random.chance(20)) writer->attach(*client_);
    writer->act();
  }
  for (const auto& reader : readers_) {
    if (stage_.random.chance(20)) reader->attach(*client_);
    reader->act();
  }
}

void Node::quiet_turn(bool frames) {
  if (life_ == Life::down) start();
  if (life_ != Life::up) return;
  client_->do_work(stage_.clock.now);
  for (const auto& writer : writers_) {
    writer->attach(*client_);
    writer->settle_claims();
    writer->act_quietly(frames);
  }
  for (const auto& reader : readers_) {
    reader->attach(*client_);
    reader->act_quietly();
  }
}

void Node::kill(Nanos noticed_after, Nanos down_for) {
  if (life_ != Life::up) return;
  stage_.journal.note("{} is killed", name_);
  life_ = Life::dying;
  until_ = stage_.clock.now + noticed_after;
  down_for_ = down_for;
}

// The media driver first: what is left of the process here can say nothing any more.
void Node::bury() {
  transport::loopback::cut_connections(stage_.bus, name_);
  stage_.journal.note("{} is noticed to be dead", name_);
  for (const auto& writer : writers_) writer->close();
  for (const auto& reader : readers_) reader->close();
  client_->do_work(stage_.clock.now);  // it finds its connection closed
  if (metadata_) metadata_->close();
  metadata_.reset();
  client_.reset();
  life_ = Life::down;
  until_ = stage_.clock.now + down_for_;
}

void Node::stop(bool conductor, bool application, Nanos duration) {
  stage_.journal.note("{} is stopped for {} ms:{}{}", name_, duration / nanos_per_milli, conductor ? " conductor" : "",
                      application ? " application" : "");
  if (conductor) conductor_stopped_until_ = stage_.clock.now + duration;
  if (application) application_stopped_until_ = stage_.clock.now + duration;
}

void Node::cut() {
  if (life_ != Life::up) return;
  stage_.journal.note("{} is taken for dead by the media driver", name_);
  transport::loopback::cut_connections(stage_.bus, name_);
}

void Node::close_a_handle() {
  if (life_ != Life::up || writers_.size() + readers_.size() == 0) return;
  const std::size_t chosen = stage_.random.below(writers_.size() + readers_.size());
  if (chosen < writers_.size()) {
    writers_[chosen]->close();
  } else {
    readers_[chosen - writers_.size()]->close();
  }
}

void Node::end(Nanos down_for) {
  if (life_ != Life::up) return;
  stage_.journal.note("{} ends", name_);
  if (stage_.random.chance(50)) {
    for (const auto& writer : writers_) writer->close();
    for (const auto& reader : readers_) reader->close();
  }
  if (metadata_) metadata_->close();
  metadata_.reset();
  client_.reset();
  for (const auto& writer : writers_) writer->close();
  for (const auto& reader : readers_) reader->close();
  life_ = Life::down;
  until_ = stage_.clock.now + down_for;
}

void Node::recover() {
  conductor_stopped_until_ = application_stopped_until_ = 0;
  if (life_ == Life::dying) {
    down_for_ = 0;
    bury();
  }
}

}  // namespace tensorpool::simulation
