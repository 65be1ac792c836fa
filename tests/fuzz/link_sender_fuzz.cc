// What a pulling peer asks for: whatever it is, the log is read without an error.
//
// The input is one byte (bit 0: the first message names the cluster, the peer and the topology as
// they are) and PullRequests as frames.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "homeport/internal/v1/replication.pb.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/replica_bed.h"

namespace homeport::fuzz {
namespace {

using internal::v1::PullRequest;

// More messages than one request can bring about here.
constexpr int kMessagesMax = 16;

void Serve(absl::string_view input) {
  ReplicaBed bed(0);
  LinkSender::Options options;
  options.cluster = kBedCluster;
  options.self = bed.name();
  LinkSender sender(std::move(options), &bed.engine());
  bool first = true;
  for (absl::string_view frame : SplitFrames(input.substr(1))) {
    PullRequest request;
    if (!request.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) continue;
    if (first) {
      internal::v1::Hello& hello = *request.mutable_hello();
      if ((input[0] & 1) != 0) {
        hello.set_cluster(kBedCluster);
        hello.set_replica("r1/a");
        hello.set_topology_fingerprint(BedTopology()->fingerprint());
      }
      if (sender.OnHello(hello, BedTopology(), *bed.core().view())) return;
      first = false;
    }
    sender.OnRequest(request, *bed.core().view());
    for (int i = 0; i < kMessagesMax; ++i) {
      auto next = sender.Next(*bed.core().view());
      if (!next.ok()) abort();
      if (!next->has_value()) {
        if (sender.busy()) continue;
        next = sender.NextSeed(*bed.core().view(), bed.now().steady);
        if (!next.ok()) abort();
      }
      if (!next->has_value()) break;
    }
    sender.MakeHeartbeat(*bed.core().view(), bed.core().MakeWatermark(bed.now()), bed.now().wall);
    if (!bed.core().Commit(bed.now()).ok()) abort();
    bed.Advance(absl::Milliseconds(100));
  }
}

}  // namespace
}  // namespace homeport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  homeport::fuzz::Serve(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
