#include "transport/counters.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "transport/cnc.hpp"
#include "transport/resources.hpp"

namespace tensorpool::transport {
namespace {

struct Reading {
  aeron_counters_reader_t* reader;
  std::vector<CounterValue>* values;
};

void read_one(std::int64_t value, std::int32_t id, std::int32_t type_id, const std::uint8_t* key,
              std::size_t key_length, const char* label, std::size_t label_length, void* reading) {
  const auto* const to = static_cast<const Reading*>(reading);
  CounterValue counter;
  counter.id = id;
  counter.type_id = type_id;
  counter.value = value;
  (void)aeron_counters_reader_counter_owner_id(to->reader, id, &counter.owner_client_id);
  counter.label = escape({label, label_length});
  const auto* const bytes = reinterpret_cast<const std::byte*>(key);
  counter.key.assign(bytes, bytes + key_length);
  to->values->push_back(std::move(counter));
}

}  // namespace

// The builtins, because the word lies in memory that Aeron mapped: the media driver and the tools read it meanwhile.
void Counter::set(std::int64_t value) noexcept {
  if (impl_ != nullptr) __atomic_store_n(impl_->address, value, __ATOMIC_RELEASE);
}

void Counter::add(std::int64_t increment) noexcept {
  if (impl_ == nullptr) return;
  const std::int64_t before =
      __atomic_load_n(impl_->address, __ATOMIC_RELAXED);  // one writer: no read-modify-write needed
  __atomic_store_n(impl_->address, before + increment, __ATOMIC_RELEASE);
}

std::int64_t Counter::get() const noexcept {
  return impl_ == nullptr ? 0 : __atomic_load_n(impl_->address, __ATOMIC_ACQUIRE);
}

std::int32_t Counter::id() const noexcept { return impl_ == nullptr ? -1 : impl_->id; }

Counter::Counter() noexcept = default;
Counter::Counter(Counter&&) noexcept = default;
Counter& Counter::operator=(Counter&&) noexcept = default;
Counter::~Counter() = default;
Counter::Counter(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

PendingCounter::PendingCounter(PendingCounter&&) noexcept = default;
PendingCounter& PendingCounter::operator=(PendingCounter&&) noexcept = default;
PendingCounter::~PendingCounter() = default;
PendingCounter::PendingCounter(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

Result<std::vector<CounterValue>> read_counters(const std::string& aeron_dir) {
  Result<Cnc> cnc = open_cnc(aeron_dir);
  if (!cnc) return std::move(cnc).error();
  std::vector<CounterValue> values;
  Reading reading{aeron_cnc_counters_reader(cnc->get()), &values};
  aeron_counters_reader_foreach_counter(reading.reader, &read_one, &reading);
  return values;
}

}  // namespace tensorpool::transport
