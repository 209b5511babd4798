#include "gates/raw_aeron.hpp"

#include <aeronc.h>

#include <stdexcept>

#include "support/wait.hpp"

namespace tensorpool::test {
namespace {

constexpr const char* publication_channel = "aeron:ipc?term-length=4m|sparse=false";
constexpr const char* subscription_channel = "aeron:ipc?tether=false";
constexpr std::int32_t stream_id = 4711;

void ignore_message(void*, const std::uint8_t*, std::size_t, aeron_header_t*) {}
void ignore_error(void*, int, const char*) {}

void check(int result) {
  if (result < 0) throw std::runtime_error(aeron_errmsg());
}

}  // namespace

struct RawAeron::Impl {
  aeron_context_t* context = nullptr;
  aeron_t* client = nullptr;
  aeron_exclusive_publication_t* publication = nullptr;
  aeron_subscription_t* subscription = nullptr;

  ~Impl() {
    if (publication != nullptr) aeron_exclusive_publication_close(publication, nullptr, nullptr);
    if (subscription != nullptr) aeron_subscription_close(subscription, nullptr, nullptr);
    if (client != nullptr) aeron_close(client);
    if (context != nullptr) aeron_context_close(context);
  }

  // Runs the conductor until `done`.
  template <class Condition>
  void await(Condition&& done) const {
    const bool came = eventually([&] {
      check(aeron_main_do_work(client));
      return done();
    });
    if (!came) throw std::runtime_error("Aeron does not answer");
  }
};

RawAeron::RawAeron(const std::string& aeron_dir) : impl_(std::make_unique<Impl>()) {
  check(aeron_context_init(&impl_->context));
  aeron_context_set_dir(impl_->context, aeron_dir.c_str());
  aeron_context_set_error_handler(impl_->context, ignore_error, nullptr);
  aeron_context_set_use_conductor_agent_invoker(impl_->context, true);
  check(aeron_init(&impl_->client, impl_->context));
  check(aeron_start(impl_->client));

  aeron_async_add_exclusive_publication_t* adding_publication = nullptr;
  check(aeron_async_add_exclusive_publication(&adding_publication, impl_->client, publication_channel, stream_id));
  impl_->await([&] {
    check(aeron_async_add_exclusive_publication_poll(&impl_->publication, adding_publication));
    return impl_->publication != nullptr;
  });
  aeron_async_add_subscription_t* adding_subscription = nullptr;
  check(aeron_async_add_subscription(&adding_subscription, impl_->client, subscription_channel, stream_id, nullptr,
                                     nullptr, nullptr, nullptr));
  impl_->await([&] {
    check(aeron_async_add_subscription_poll(&impl_->subscription, adding_subscription));
    return impl_->subscription != nullptr;
  });
  impl_->await([&] {
    return aeron_exclusive_publication_is_connected(impl_->publication) &&
           aeron_subscription_is_connected(impl_->subscription);
  });
}

RawAeron::~RawAeron() = default;

bool RawAeron::offer(const std::byte* bytes, std::size_t length) noexcept {
  return aeron_exclusive_publication_offer(impl_->publication, reinterpret_cast<const std::uint8_t*>(bytes), length,
                                           nullptr, nullptr) > 0;
}

bool RawAeron::try_claim(std::size_t length) noexcept {
  aeron_buffer_claim_t claim;
  return aeron_exclusive_publication_try_claim(impl_->publication, length, &claim) > 0 &&
         aeron_buffer_claim_commit(&claim) == 0;
}

int RawAeron::poll(std::size_t limit) noexcept {
  return aeron_subscription_poll(impl_->subscription, ignore_message, nullptr, limit);
}

void RawAeron::do_work() noexcept { static_cast<void>(aeron_main_do_work(impl_->client)); }

}  // namespace tensorpool::test
