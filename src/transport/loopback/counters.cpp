#include "transport/counters.hpp"

#include "base/error.hpp"
#include "transport/loopback/resources.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::transport {

Counter::Counter() noexcept = default;
Counter::Counter(Counter&&) noexcept = default;
Counter& Counter::operator=(Counter&&) noexcept = default;
Counter::~Counter() = default;
Counter::Counter(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

void Counter::set(std::int64_t value) noexcept {
  if (impl_ != nullptr) impl_->cell->value.store(value, std::memory_order_release);
}

void Counter::add(std::int64_t increment) noexcept {
  if (impl_ != nullptr) impl_->cell->value.fetch_add(increment, std::memory_order_release);
}

std::int64_t Counter::get() const noexcept {
  return impl_ == nullptr ? 0 : impl_->cell->value.load(std::memory_order_acquire);
}

std::int32_t Counter::id() const noexcept { return impl_ == nullptr ? -1 : impl_->cell->id; }

PendingCounter::PendingCounter(PendingCounter&&) noexcept = default;
PendingCounter& PendingCounter::operator=(PendingCounter&&) noexcept = default;
PendingCounter::~PendingCounter() = default;
PendingCounter::PendingCounter(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

Result<std::optional<Counter>> PendingCounter::poll() {
  if (impl_->core->is_closed())
    return make_error(ErrorCode::unavailable, "cannot add a counter: the connection is closed");
  if (impl_->core->bus->counters_held.load()) return std::optional<Counter>();
  auto cell = impl_->core->bus->add_counter(std::move(impl_->wanted));
  return std::optional<Counter>(Counter(std::make_unique<Counter::Impl>(impl_->core, std::move(cell))));
}

Result<std::vector<CounterValue>> read_counters(const std::string& aeron_dir) {
  const std::shared_ptr<loopback::Bus> bus = loopback::Bus::of(aeron_dir);
  if (!bus->alive()) return Error{ErrorCode::not_found, probe_media_driver(aeron_dir).detail};
  return bus->counters();
}

}  // namespace tensorpool::transport
