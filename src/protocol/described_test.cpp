#include "protocol/described.hpp"

#include "protocol/golden_test.hpp"

namespace tensorpool::protocol {
namespace {

std::vector<std::string_view> names_of(const DescribedFields& fields) {
  std::vector<std::string_view> names;
  for (const DescribedField& field : fields) names.push_back(field.name);
  return names;
}

template <class T>
T value_of(const DescribedMessage& message, std::string_view name) {
  const DescribedField* const field = message.find(name);
  EXPECT_NE(field, nullptr) << name;
  return field != nullptr && std::holds_alternative<T>(field->value) ? std::get<T>(field->value) : T{};
}

TEST(Described, NamesEveryFieldInTheOrderOfTheSchema) {
  const ShmPoolAnnounce announce{.stream_id = 7, .payload_pools = {{1, 8, 64, "a"}, {2, 8, 128, "b"}}};
  const DescribedMessage message = describe(encoded(announce));
  EXPECT_EQ(message.name, "ShmPoolAnnounce");
  EXPECT_EQ(message.fault, DecodeFault::none);
  EXPECT_EQ(names_of(message.fields),
            (std::vector<std::string_view>{"stream_id", "producer_id", "epoch", "announce_timestamp_ns",
                                           "announce_clock_domain", "layout_version", "header_nslots",
                                           "header_slot_bytes", "payload_pools", "header_region_uri"}));
  const auto pools = value_of<std::vector<DescribedFields>>(message, "payload_pools");
  ASSERT_EQ(pools.size(), 2u);
  EXPECT_EQ(names_of(pools[1]),
            (std::vector<std::string_view>{"pool_id", "pool_nslots", "stride_bytes", "region_uri"}));
  EXPECT_EQ(std::get<std::string>(pools[1][3].value), "b");
}

TEST(Described, TellsNumbersTruthsEnumerationsTextsAndAbsence) {
  ConsumerHello hello;
  hello.stream_id = 7;
  hello.supports_shm = true;
  hello.mode = Mode::rate_limited;
  hello.progress_interval_us = 250;
  hello.descriptor_channel = "aeron:ipc";
  const DescribedMessage message = describe(encoded(hello));
  EXPECT_EQ(value_of<std::uint64_t>(message, "stream_id"), 7u);
  EXPECT_TRUE(value_of<bool>(message, "supports_shm"));
  EXPECT_EQ(value_of<std::string>(message, "mode"), "RATE_LIMITED");
  EXPECT_EQ(value_of<std::uint64_t>(message, "progress_interval_us"), 250u);
  ASSERT_NE(message.find("progress_bytes_delta"), nullptr);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(message.find("progress_bytes_delta")->value));
  EXPECT_EQ(value_of<std::string>(message, "descriptor_channel"), "aeron:ipc");
  EXPECT_EQ(message.find("seq"), nullptr);
}

TEST(Described, KeepsAnEnumerationsUnknownValueAsANumber) {
  ShmAttachRequest request;
  request.role = static_cast<Role>(77);
  EXPECT_EQ(value_of<std::int64_t>(describe(encoded(request)), "role"), 77);
}

TEST(Described, MarksNumbersOf64Bits) {
  const DescribedMessage message = describe(encoded(FrameDescriptor{.stream_id = 1, .epoch = 2, .timestamp_ns = 3}));
  EXPECT_FALSE(message.find("stream_id")->wide);
  EXPECT_TRUE(message.find("epoch")->wide);
  EXPECT_TRUE(message.find("timestamp_ns")->wide);
}

TEST(Described, SaysWhatIsWrongWithAnythingElse) {
  EXPECT_EQ(describe({}).fault, DecodeFault::too_short);
  const Bytes good = encoded(QosProducer{});
  const DescribedMessage short_one = describe(std::span(good).first(good.size() - 1));
  EXPECT_EQ(short_one.name, "QosProducer");
  EXPECT_EQ(short_one.fault, DecodeFault::too_short);
  EXPECT_TRUE(short_one.fields.empty());
  const DescribedMessage strange = describe(with(good, 2, std::uint16_t{99}));
  EXPECT_EQ(strange.name, "unknown message");
  EXPECT_EQ(strange.fault, DecodeFault::unknown_template);
  EXPECT_EQ(strange.header.template_id, 99);
  EXPECT_EQ(describe(with(good, 4, std::uint16_t{1})).fault, DecodeFault::unknown_schema);
}

}  // namespace
}  // namespace tensorpool::protocol
