// Everything an application needs.
#pragma once

#include "tensorpool/client.hpp"
#include "tensorpool/consumer.hpp"
#include "tensorpool/frame.hpp"
#include "tensorpool/inflight_queue.hpp"
#include "tensorpool/metadata.hpp"
#include "tensorpool/monitor.hpp"
#include "tensorpool/partial_frame.hpp"
#include "tensorpool/producer.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/standalone.hpp"
#include "tensorpool/stop_signal.hpp"
#include "tensorpool/supervisor.hpp"
#include "tensorpool/tensor.hpp"
#include "tensorpool/time.hpp"
