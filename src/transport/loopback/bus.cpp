#include "transport/loopback/bus.hpp"

#include <algorithm>
#include <utility>

#include "transport/channel_uri.hpp"

namespace tensorpool::transport::loopback {
namespace {

constexpr std::size_t default_term_bytes = std::size_t{64} << 20;
constexpr std::size_t max_message_bytes = std::size_t{16} << 20;

std::mutex& registry_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::map<std::string, std::shared_ptr<Bus>>& registry() {
  static std::map<std::string, std::shared_ptr<Bus>> buses;
  return buses;
}

std::size_t frame_bytes(std::size_t payload) {
  return (payload + header_bytes + alignment - 1) / alignment * alignment;
}

// "64k" in bytes. REQUIRES: parsed as a size by ChannelUri.
std::size_t bytes_of(const std::string& text) {
  const std::size_t amount = std::stoull(text);
  switch (text.back()) {
    case 'k':
    case 'K':
      return amount << 10;
    case 'm':
    case 'M':
      return amount << 20;
    case 'g':
    case 'G':
      return amount << 30;
    default:
      return amount;
  }
}

std::size_t size_or(const ChannelUri& uri, std::string_view key, std::size_t otherwise) {
  const std::string* const text = uri.find(key);
  return text == nullptr ? otherwise : bytes_of(*text);
}

// Who hears whom: IPC streams meet by number alone, others by their addresses too.
std::string key_of(const ChannelUri& uri) {
  if (uri.media() == Media::ipc) return "ipc";
  std::string key = "udp";
  for (const std::string_view part : {"endpoint", "control", "interface"}) {
    const std::string* const value = uri.find(part);
    key += '|' + (value == nullptr ? std::string{} : *value);
  }
  return key;
}

template <class T>
void erase_from(std::vector<std::shared_ptr<T>>& list, const std::shared_ptr<T>& item) {
  list.erase(std::remove(list.begin(), list.end(), item), list.end());
}

}  // namespace

std::shared_ptr<Bus> Bus::of(const std::string& dir) {
  const std::lock_guard guard(registry_mutex());
  std::shared_ptr<Bus>& bus = registry()[dir];
  if (bus == nullptr) bus = std::make_shared<Bus>();
  return bus;
}

void Bus::forget(const std::string& dir) {
  const std::lock_guard guard(registry_mutex());
  if (const auto at = registry().find(dir); at != registry().end()) {
    at->second->kill();
    registry().erase(at);
  }
}

bool Bus::start() {
  const std::lock_guard guard(mutex_);
  if (generation_.load(std::memory_order_relaxed) != 0) return false;
  generation_.store(++last_generation_, std::memory_order_release);
  return true;
}

void Bus::kill() {
  const std::lock_guard guard(mutex_);
  generation_.store(0, std::memory_order_release);
  logs_.clear();
  inboxes_.clear();
  counters_.clear();
  for (auto& [stream, faults] : faults_) faults.delayed.clear();
  held_.clear();
}

bool Bus::alive() const { return generation() != 0; }

std::int64_t Bus::next_client_id() {
  const std::lock_guard guard(mutex_);
  return ++last_client_id_;
}

void Bus::register_connection(const std::shared_ptr<Connection::Core>& core) {
  const std::lock_guard guard(mutex_);
  std::erase_if(connections_, [](const auto& known) { return known.expired(); });
  connections_.push_back(core);
}

std::shared_ptr<Log> Bus::add_log(std::int64_t client_id, const std::string& channel, std::int32_t stream_id) {
  const Result<ChannelUri> uri = ChannelUri::parse(channel);
  if (!uri) return nullptr;
  auto log = std::make_shared<Log>();
  const std::size_t term = size_or(*uri, "term-length", default_term_bytes);
  log->channel_key = key_of(*uri);
  log->stream_id = stream_id;
  log->owner_client_id = client_id;
  log->max_payload = size_or(*uri, "mtu", default_mtu) - header_bytes;
  log->max_message = std::min(term / 8, max_message_bytes);
  const std::lock_guard guard(mutex_);
  const std::size_t window = faults_[stream_id].window;
  log->window = window != 0 ? window : size_or(*uri, "pub-wnd", term / 2);
  log->session_id = ++last_session_id_;
  logs_.push_back(log);
  for (const auto& inbox : inboxes_) link(*inbox, log);
  return log;
}

std::shared_ptr<Inbox> Bus::add_inbox(std::int64_t client_id, const std::string& channel, std::int32_t stream_id) {
  const Result<ChannelUri> uri = ChannelUri::parse(channel);
  if (!uri) return nullptr;
  auto inbox = std::make_shared<Inbox>();
  const std::string* const tether = uri->find("tether");
  inbox->channel_key = key_of(*uri);
  inbox->stream_id = stream_id;
  inbox->owner_client_id = client_id;
  inbox->tethered = tether == nullptr || *tether == "true";
  if (const std::string* const session_id = uri->find("session-id")) inbox->session_id = std::stoi(*session_id);
  const std::lock_guard guard(mutex_);
  inboxes_.push_back(inbox);
  for (const auto& log : logs_) link(*inbox, log);
  return inbox;
}

void Bus::link(Inbox& inbox, const std::shared_ptr<Log>& log) {
  if (log->stream_id != inbox.stream_id || log->channel_key != inbox.channel_key) return;
  if (inbox.session_id && *inbox.session_id != log->session_id) return;
  Image image;
  image.log = log;
  const bool replay = faults_[log->stream_id].replay && !log->frames.empty();
  image.next_index = replay ? log->first_index : log->first_index + log->frames.size();
  image.position = replay ? log->frames.front().begin_position : log->position;
  inbox.images.push_back(std::move(image));
}

std::shared_ptr<CounterCell> Bus::add_counter(CounterCell&& prototype) {
  auto cell = std::make_shared<CounterCell>();
  cell->type_id = prototype.type_id;
  cell->owner_client_id = prototype.owner_client_id;
  cell->label = std::move(prototype.label);
  cell->key = std::move(prototype.key);
  const std::lock_guard guard(mutex_);
  cell->id = ++last_counter_id_;
  counters_.push_back(cell);
  return cell;
}

void Bus::remove(const std::shared_ptr<Log>& log) {
  const std::lock_guard guard(mutex_);
  log->ended = true;
  erase_from(logs_, log);
}

void Bus::remove(const std::shared_ptr<Inbox>& inbox) {
  const std::lock_guard guard(mutex_);
  erase_from(inboxes_, inbox);
  for (Image& image : inbox->images) trim(*image.log);
  inbox->images.clear();
}

void Bus::remove(const std::shared_ptr<CounterCell>& counter) {
  const std::lock_guard guard(mutex_);
  erase_from(counters_, counter);
}

template <class F>
void Bus::for_each_image(const Log& log, F&& f) const {
  for (const auto& inbox : inboxes_) {
    for (Image& image : inbox->images) {
      if (image.log.get() == &log) f(*inbox, image);
    }
  }
}

bool Bus::is_connected_locked(const Log& log) const {
  bool connected = false;
  for_each_image(log, [&](const Inbox&, const Image&) { connected = true; });
  return connected;
}

bool Bus::is_connected(const Log& log) const {
  const std::lock_guard guard(mutex_);
  return is_connected_locked(log);
}

std::int64_t Bus::position(const Log& log) const {
  const std::lock_guard guard(mutex_);
  return log.position;
}

std::vector<PublicationPosition> Bus::publication_positions(std::int32_t stream_id) const {
  const std::lock_guard guard(mutex_);
  std::vector<PublicationPosition> positions;
  for (const auto& log : logs_) {
    if (log->stream_id == stream_id) positions.push_back({log->session_id, log->position});
  }
  return positions;
}

OfferResult Bus::ask(Log& log) {
  const std::lock_guard guard(mutex_);
  return ask_locked(log);
}

void Bus::put(const std::shared_ptr<Log>& log, std::span<const std::byte> message) {
  const std::lock_guard guard(mutex_);
  put_locked(log, message);
}

OfferResult Bus::offer(const std::shared_ptr<Log>& log, std::span<const std::byte> message) {
  const std::lock_guard guard(mutex_);
  const OfferResult result = ask_locked(*log);
  if (result == OfferResult::ok) put_locked(log, message);
  return result;
}

OfferResult Bus::ask_locked(Log& log) {
  offers_.fetch_add(1, std::memory_order_relaxed);
  if (log.ended || generation_.load(std::memory_order_relaxed) == 0) return OfferResult::closed;
  StreamFaults& faults = faults_[log.stream_id];
  if (faults.forced > 0) {
    --faults.forced;
    if (faults.forced_result != OfferResult::ok) return faults.forced_result;
  }
  if (!is_connected_locked(log)) return OfferResult::not_connected;
  return has_room(log) ? OfferResult::ok : OfferResult::back_pressured;
}

void Bus::put_locked(const std::shared_ptr<Log>& log, std::span<const std::byte> message) {
  switch (fate_of_ ? fate_of_(log->stream_id, message) : Fate::deliver) {
    case Fate::deliver:
      break;
    case Fate::drop:
      return;
    case Fate::duplicate:
      append(*log, message);
      break;
    case Fate::hold:
      held_.push_back({log, {message.begin(), message.end()}});
      return;
  }
  StreamFaults& faults = faults_[log->stream_id];
  if (faults.drop > 0) {
    --faults.drop;
    return;
  }
  if (faults.delay > 0) {
    --faults.delay;
    faults.delayed.push_back({log, {message.begin(), message.end()}});
    return;
  }
  append(*log, message);
  if (faults.duplicate > 0) {
    --faults.duplicate;
    append(*log, message);
  }
}

void Bus::append(Log& log, std::span<const std::byte> message) {
  std::size_t offset = 0;
  do {
    const std::size_t length = std::min(log.max_payload, message.size() - offset);
    const auto part = message.subspan(offset, length);
    Frame frame;
    frame.begin_position = log.position;
    frame.end_position = log.position + static_cast<std::int64_t>(frame_bytes(length));
    frame.begins = offset == 0;
    frame.ends = offset + length == message.size();
    frame.bytes = std::make_shared<const std::vector<std::byte>>(part.begin(), part.end());
    log.position = frame.end_position;
    log.frames.push_back(std::move(frame));
    offset += length;
  } while (offset < message.size());
  trim(log);
}

// As in Aeron, the limit is the slowest subscriber plus the window, and one message may begin anywhere below it.
bool Bus::has_room(Log& log) {
  const auto behind = [&] {
    std::int64_t slowest = log.position;
    for_each_image(log, [&](const Inbox&, const Image& image) {
      if (image.state <= Image::State::active) slowest = std::min(slowest, image.position);
    });
    return static_cast<std::size_t>(log.position - slowest);
  };
  if (behind() < log.window) return true;
  evict_slow(log);
  return behind() < log.window;
}

// An untethered subscriber three quarters of a window behind the fastest one. A lone one is its own fastest: never
// evicted.
void Bus::evict_slow(Log& log) {
  std::int64_t fastest = 0;
  for_each_image(log, [&](const Inbox&, const Image& image) {
    if (image.state <= Image::State::active) fastest = std::max(fastest, image.position);
  });
  const std::int64_t limit = fastest - static_cast<std::int64_t>(log.window / 4 * 3);
  for_each_image(log, [&](const Inbox& inbox, Image& image) {
    const bool slow = image.state <= Image::State::active && image.position <= limit;
    if (slow && !inbox.tethered) image.state = Image::State::evicted;
  });
  trim(log);
}

// Forgets what every subscriber has read; with replay, only what has left the window.
void Bus::trim(Log& log) {
  const bool replay = faults_[log.stream_id].replay;
  std::int64_t keep_from = replay ? log.position - static_cast<std::int64_t>(log.window) : log.position;
  for_each_image(log, [&](const Inbox&, const Image& image) {
    if (image.state <= Image::State::active) keep_from = std::min(keep_from, image.position);
  });
  while (!log.frames.empty() && log.frames.front().end_position <= keep_from) {
    log.frames.pop_front();
    ++log.first_index;
  }
}

int Bus::work(Inbox& inbox) {
  const std::lock_guard guard(mutex_);
  int events = 0;
  for (std::size_t i = 0; i < inbox.images.size();) {
    Image& image = inbox.images[i];
    const bool drained = image.next_index == image.log->first_index + image.log->frames.size();
    bool gone = false;
    switch (image.state) {
      case Image::State::fresh:
        image.state = Image::State::active;
        inbox.joined.fetch_add(1, std::memory_order_release);
        ++events;
        break;
      case Image::State::active:
        if (image.log->ended && drained) {
          gone = true;
          inbox.lost.add(image.log->session_id);
          ++events;
        }
        break;
      case Image::State::evicted:
        image.state = Image::State::resting;
        inbox.lost.add(image.log->session_id);
        ++events;
        break;
      case Image::State::resting:
        gone = image.log->ended;
        image.next_index = image.log->first_index + image.log->frames.size();
        image.position = image.log->position;
        image.state = Image::State::active;
        if (!gone) inbox.joined.fetch_add(1, std::memory_order_release);
        ++events;
        break;
    }
    if (gone) {
      inbox.images.erase(inbox.images.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  return events;
}

bool Bus::take(Inbox& inbox, Fragment& fragment, Bytes& keep_alive) {
  const std::lock_guard guard(mutex_);
  const std::size_t count = inbox.images.size();
  for (std::size_t tried = 0; tried < count; ++tried) {
    Image& image = inbox.images[(inbox.next_image + tried) % count];
    Log& log = *image.log;
    if (image.state != Image::State::active || image.next_index >= log.first_index + log.frames.size()) continue;
    inbox.next_image = (inbox.next_image + tried) % count;
    const Frame& frame = log.frames[image.next_index - log.first_index];
    keep_alive = frame.bytes;
    fragment = {.session_id = log.session_id,
                .begin_position = frame.begin_position,
                .end_position = frame.end_position,
                .begins = frame.begins,
                .ends = frame.ends,
                .bytes = *keep_alive};
    ++image.next_index;
    image.position = frame.end_position;
    trim(log);
    return true;
  }
  return false;
}

Resources Bus::resources() const {
  const std::lock_guard guard(mutex_);
  return {logs_.size(), inboxes_.size(), counters_.size()};
}

std::vector<CounterValue> Bus::counters() const {
  const std::lock_guard guard(mutex_);
  std::vector<CounterValue> values;
  for (const auto& cell : counters_) {
    values.push_back({cell->id, cell->type_id, cell->value.load(std::memory_order_acquire), cell->owner_client_id,
                      cell->label, cell->key});
  }
  return values;
}

}  // namespace tensorpool::transport::loopback
