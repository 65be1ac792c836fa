#include "common/store/validate.h"

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "common/store/utf8.h"

namespace homeport {
namespace {

// Up to so many changes, comparing each with each is quicker than a hash set.
constexpr int kPairwiseMax = 8;

#define HP_RETURN_IF_ERROR(expression)                      \
  do {                                                      \
    if (absl::Status status = (expression); !status.ok()) { \
      return status;                                        \
    }                                                       \
  } while (false)

absl::Status CheckText(absl::string_view field, absl::string_view text, size_t bytes_max) {
  if (text.size() > bytes_max) return LimitError(field, bytes_max, text.size(), "bytes");
  if (!IsValidUtf8(text)) return FieldError(field, "is not valid UTF-8");
  return absl::OkStatus();
}

absl::Status CheckId(absl::string_view field, absl::string_view id) {
  if (id.empty()) return FieldError(field, "is empty");
  return CheckText(field, id, kIdBytesMax);
}

absl::Status CheckSessionToken(absl::string_view token) {
  if (token.size() <= kSessionTokenBytesMax) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kInvalidArgument, reason::kTokenInvalid,
      absl::StrCat("options.session_token: ", token.size(), " bytes is more than any token has"),
      {{"field", "options.session_token"}});
}

absl::Status CheckRegionChoice(v1::RegionChoice choice) {
  if (v1::RegionChoice_IsValid(choice)) return absl::OkStatus();
  return FieldError("options.region_choice",
                    absl::StrCat(static_cast<int>(choice), " is not a region choice"));
}

// Checks a duration that must be set and from `min` to `max`.
absl::Status CheckDuration(absl::string_view field, const google::protobuf::Duration& duration,
                           absl::Duration min, absl::Duration max) {
  const bool is_duration =
      duration.seconds() >= 0 && duration.nanos() >= 0 && duration.nanos() < 1'000'000'000;
  // What is far too long must not overflow.
  const bool too_long = duration.seconds() > absl::ToInt64Seconds(max);
  const absl::Duration asked =
      too_long ? max : absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  if (is_duration && !too_long && asked >= min && asked <= max) return absl::OkStatus();
  return FieldError(field, absl::StrCat("must be from ", absl::FormatDuration(min), " to ",
                                        absl::FormatDuration(max)));
}

// Checks the level and the bound of read options, or of one of their targets; `prefix` is
// "options." or "options.targets[2].".
template <typename Options>
absl::Status CheckLevel(absl::string_view prefix, const Options& options) {
  const v1::ConsistencyLevel level = options.consistency();
  if (!v1::ConsistencyLevel_IsValid(level)) {
    return FieldError(absl::StrCat(prefix, "consistency"),
                      absl::StrCat(static_cast<int>(level), " is not a consistency level"));
  }
  const std::string bound = absl::StrCat(prefix, "max_staleness");
  if (level == v1::CONSISTENCY_LEVEL_BOUNDED) {
    if (!options.has_max_staleness()) return FieldError(bound, "is not set; BOUNDED needs it");
    return CheckDuration(bound, options.max_staleness(), kStalenessMin, kStalenessMax);
  }
  if (options.has_max_staleness()) return FieldError(bound, "goes with the level BOUNDED only");
  return absl::OkStatus();
}

absl::Status CheckServed(absl::string_view prefix, v1::ConsistencyLevel level) {
  if (level != v1::CONSISTENCY_LEVEL_LATEST) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, reason::kLevelUnavailable,
                   absl::StrCat(prefix,
                                "consistency: LATEST needs a namespace with homes, and none has "
                                "them; BOUNDED, SESSION and EVENTUAL are served"),
                   {{"level", "LATEST"}});
}

bool IsAtMost(const google::protobuf::Duration& a, const google::protobuf::Duration& b) {
  return a.seconds() != b.seconds() ? a.seconds() < b.seconds() : a.nanos() <= b.nanos();
}

// True if whatever meets `later` meets `earlier` too, so that nobody ever gets to `later`.
bool Implies(const v1::ReadTarget& later, const v1::ReadTarget& earlier) {
  if (!IsAtMost(later.latency(), earlier.latency())) return false;
  if (earlier.consistency() == v1::CONSISTENCY_LEVEL_EVENTUAL) return true;
  if (earlier.consistency() != later.consistency()) return false;
  return earlier.consistency() != v1::CONSISTENCY_LEVEL_BOUNDED ||
         IsAtMost(later.max_staleness(), earlier.max_staleness());
}

absl::Status CheckTargets(const v1::ReadOptions& options) {
  if (options.targets().empty()) return absl::OkStatus();
  if (options.targets_size() > kReadTargetsMax) {
    return LimitError("options.targets", kReadTargetsMax, options.targets_size(), "targets");
  }
  if (options.consistency() != v1::CONSISTENCY_LEVEL_UNSPECIFIED) {
    return FieldError("options.consistency", "not together with options.targets");
  }
  for (int i = 0; i < options.targets_size(); ++i) {
    const v1::ReadTarget& target = options.targets(i);
    const std::string prefix = absl::StrCat("options.targets[", i, "].");
    if (target.consistency() == v1::CONSISTENCY_LEVEL_UNSPECIFIED) {
      return FieldError(absl::StrCat(prefix, "consistency"), "is not set");
    }
    HP_RETURN_IF_ERROR(CheckLevel(prefix, target));
    HP_RETURN_IF_ERROR(CheckDuration(absl::StrCat(prefix, "latency"), target.latency(),
                                     kTargetLatencyMin, kTargetLatencyMax));
    for (int earlier = 0; earlier < i; ++earlier) {
      if (!Implies(target, options.targets(earlier))) continue;
      return FieldError(absl::StrCat("options.targets[", i, "]"),
                        absl::StrCat("is met only when options.targets[", earlier,
                                     "] is, which stands before it"));
    }
    HP_RETURN_IF_ERROR(CheckServed(prefix, target.consistency()));
  }
  return absl::OkStatus();
}

absl::Status CheckReadOptions(const v1::ReadOptions& options) {
  HP_RETURN_IF_ERROR(CheckLevel("options.", options));
  HP_RETURN_IF_ERROR(CheckTargets(options));
  HP_RETURN_IF_ERROR(CheckRegionChoice(options.region_choice()));
  HP_RETURN_IF_ERROR(CheckSessionToken(options.session_token()));
  return CheckServed("options.", options.consistency());
}

absl::Status CheckWriteOptions(const v1::WriteOptions& options) {
  HP_RETURN_IF_ERROR(CheckRegionChoice(options.region_choice()));
  HP_RETURN_IF_ERROR(CheckSessionToken(options.session_token()));
  if (options.request_id().empty()) return absl::OkStatus();
  return CheckText("options.request_id", options.request_id(), kRequestIdBytesMax);
}

absl::Status CheckPage(int page_size, absl::string_view page_token) {
  if (page_size < 0) return FieldError("page_size", absl::StrCat(page_size, " is negative"));
  if (page_size > kPageSizeMax) return LimitError("page_size", kPageSizeMax, page_size, "entries");
  if (page_token.size() > kPageTokenBytesMax) {
    return MakeError(
        absl::StatusCode::kInvalidArgument, reason::kPageTokenInvalid,
        absl::StrCat("page_token: ", page_token.size(), " bytes is more than any page token has"),
        {{"field", "page_token"}});
  }
  return absl::OkStatus();
}

// The name that the caller knows a change's field by.
std::string ChangeField(MutationForm form, int index, absl::string_view field) {
  if (form == MutationForm::kMutate) return absl::StrCat("changes[", index, "].", field);
  return std::string(field == "put" ? "value" : field);
}

absl::Status CheckTtl(MutationForm form, int index, const v1::Change& change) {
  const std::string field = ChangeField(form, index, "ttl");
  if (!change.has_put()) return FieldError(field, "goes with put only");
  const google::protobuf::Duration& ttl = change.ttl();
  // Both bounds are whole milliseconds; what is finer than that is cut off.
  const int64_t micros_min = absl::ToInt64Microseconds(kTtlMin);
  const int64_t seconds_max = absl::ToInt64Seconds(kTtlMax);
  const bool too_long =
      ttl.seconds() > seconds_max || (ttl.seconds() == seconds_max && ttl.nanos() > 0);
  const bool too_short = ttl.seconds() < 0 || ttl.nanos() < 0 ||
                         (ttl.seconds() == 0 && ttl.nanos() / 1000 < micros_min);
  if (!too_long && !too_short && ttl.nanos() < 1'000'000'000) return absl::OkStatus();
  return FieldError(field, absl::StrCat("must be from ", absl::FormatDuration(kTtlMin), " to ",
                                        absl::ToInt64Hours(kTtlMax) / 24, " days"));
}

absl::Status CheckSetChange(const std::string& field, const v1::SetChange& change) {
  const size_t elements = static_cast<size_t>(change.add_size()) + change.remove_size();
  if (elements == 0) return FieldError(field, "neither adds nor removes anything");
  if (elements > kSetChangeElementsMax) {
    return LimitError(field, kSetChangeElementsMax, elements, "elements");
  }
  absl::flat_hash_set<absl::string_view> seen;
  seen.reserve(elements);
  const auto check = [&](absl::string_view list, int index, const std::string& element) {
    if (element.size() <= kElementBytesMax && seen.insert(element).second) return absl::OkStatus();
    const std::string name = absl::StrCat(field, ".", list, "[", index, "]");
    if (element.size() > kElementBytesMax) {
      return LimitError(name, kElementBytesMax, element.size(), "bytes");
    }
    return FieldError(name, "occurs twice in the change");
  };
  for (int i = 0; i < change.add_size(); ++i) {
    HP_RETURN_IF_ERROR(check("add", i, change.add(i)));
  }
  for (int i = 0; i < change.remove_size(); ++i) {
    HP_RETURN_IF_ERROR(check("remove", i, change.remove(i)));
  }
  return absl::OkStatus();
}

size_t ElementBytes(const v1::SetChange& change) {
  size_t bytes = 0;
  for (const std::string& element : change.add()) bytes += element.size();
  for (const std::string& element : change.remove()) bytes += element.size();
  return bytes;
}

absl::Status CheckChange(MutationForm form, int index, const v1::Change& change) {
  if (change.key().size() > kKeyBytesMax || !IsValidUtf8(change.key())) {
    return CheckText(ChangeField(form, index, "key"), change.key(), kKeyBytesMax);
  }
  if (change.has_ttl()) {
    HP_RETURN_IF_ERROR(CheckTtl(form, index, change));
  }
  switch (change.action_case()) {
    case v1::Change::kPut:
      if (change.put().size() > kValueBytesMax) {
        return LimitError(ChangeField(form, index, "put"), kValueBytesMax, change.put().size(),
                          "bytes");
      }
      return absl::OkStatus();
    case v1::Change::kDelete:
      if (!change.delete_()) {
        return FieldError(ChangeField(form, index, "delete"), "must be true");
      }
      return absl::OkStatus();
    case v1::Change::kAdd:
      return absl::OkStatus();
    case v1::Change::kSet:
      return CheckSetChange(ChangeField(form, index, "set"), change.set());
    case v1::Change::ACTION_NOT_SET:
      break;
  }
  return FieldError(ChangeField(form, index, "action"), "none of put, delete, add and set is set");
}

absl::Status CheckKeysDiffer(const v1::MutateRequest& request) {
  const auto& changes = request.changes();
  const auto duplicate = [](int index) {
    return FieldError(ChangeField(MutationForm::kMutate, index, "key"),
                      "occurs twice in the mutation");
  };
  if (changes.size() <= kPairwiseMax) {
    for (int i = 1; i < changes.size(); ++i) {
      for (int j = 0; j < i; ++j) {
        if (changes[i].key() == changes[j].key()) return duplicate(i);
      }
    }
    return absl::OkStatus();
  }
  absl::flat_hash_set<absl::string_view> keys;
  keys.reserve(changes.size());
  for (int i = 0; i < changes.size(); ++i) {
    if (!keys.insert(changes[i].key()).second) return duplicate(i);
  }
  return absl::OkStatus();
}

absl::Status CheckMutation(const v1::MutateRequest& request, MutationForm form) {
  HP_RETURN_IF_ERROR(CheckId("id", request.id()));
  HP_RETURN_IF_ERROR(CheckWriteOptions(request.options()));
  if (request.changes().empty()) return FieldError("changes", "is empty");
  const size_t changes = request.changes_size();
  if (changes > kMutationChangesMax) {
    return LimitError("changes", kMutationChangesMax, changes, "changes");
  }
  size_t bytes = 0;
  for (size_t i = 0; i < changes; ++i) {
    const v1::Change& change = request.changes(i);
    HP_RETURN_IF_ERROR(CheckChange(form, i, change));
    bytes += change.key().size();
    if (change.has_put()) bytes += change.put().size();
    if (change.has_set()) bytes += ElementBytes(change.set());
  }
  if (bytes > kMutationBytesMax) {
    return LimitError("changes", kMutationBytesMax, bytes, "bytes of keys, values and elements");
  }
  return CheckKeysDiffer(request);
}

absl::Status CheckGet(const v1::GetRequest& request) {
  HP_RETURN_IF_ERROR(CheckId("id", request.id()));
  HP_RETURN_IF_ERROR(CheckText("key", request.key(), kKeyBytesMax));
  return CheckReadOptions(request.options());
}

absl::Status CheckBatchGet(const v1::BatchGetRequest& request) {
  if (request.names().empty()) return FieldError("names", "is empty");
  const size_t names = request.names_size();
  if (names > kBatchNamesMax) return LimitError("names", kBatchNamesMax, names, "names");
  for (size_t i = 0; i < names; ++i) {
    const v1::ItemName& name = request.names(i);
    // The fields' names are only put together when something is wrong with them.
    if (name.id().empty() || name.id().size() > kIdBytesMax || !IsValidUtf8(name.id())) {
      return CheckId(absl::StrCat("names[", i, "].id"), name.id());
    }
    if (name.key().size() > kKeyBytesMax || !IsValidUtf8(name.key())) {
      return CheckText(absl::StrCat("names[", i, "].key"), name.key(), kKeyBytesMax);
    }
  }
  return CheckReadOptions(request.options());
}

absl::Status CheckListItems(const v1::ListItemsRequest& request) {
  HP_RETURN_IF_ERROR(CheckId("id", request.id()));
  HP_RETURN_IF_ERROR(CheckText("prefix", request.prefix(), kKeyBytesMax));
  HP_RETURN_IF_ERROR(CheckText("start_key", request.start_key(), kKeyBytesMax));
  HP_RETURN_IF_ERROR(CheckText("end_key", request.end_key(), kKeyBytesMax));
  HP_RETURN_IF_ERROR(CheckPage(request.page_size(), request.page_token()));
  return CheckReadOptions(request.options());
}

absl::Status CheckListRecords(const v1::ListRecordsRequest& request) {
  HP_RETURN_IF_ERROR(CheckText("prefix", request.prefix(), kIdBytesMax));
  HP_RETURN_IF_ERROR(CheckPage(request.page_size(), request.page_token()));
  return CheckReadOptions(request.options());
}

}  // namespace

absl::Status ValidateNamespaceName(absl::string_view name) {
  if (name.empty()) return FieldError("namespace", "is empty");
  return CheckText("namespace", name, kNamespaceBytesMax);
}

absl::Status ValidateRequest(const internal::v1::StoreRequest& request, MutationForm form) {
  using internal::v1::StoreRequest;
  switch (request.operation_case()) {
    case StoreRequest::kGet:
      HP_RETURN_IF_ERROR(ValidateNamespaceName(request.get().namespace_()));
      return CheckGet(request.get());
    case StoreRequest::kBatchGet:
      HP_RETURN_IF_ERROR(ValidateNamespaceName(request.batch_get().namespace_()));
      return CheckBatchGet(request.batch_get());
    case StoreRequest::kMutate:
      HP_RETURN_IF_ERROR(ValidateNamespaceName(request.mutate().namespace_()));
      return CheckMutation(request.mutate(), form);
    case StoreRequest::kListItems:
      HP_RETURN_IF_ERROR(ValidateNamespaceName(request.list_items().namespace_()));
      return CheckListItems(request.list_items());
    case StoreRequest::kListRecords:
      HP_RETURN_IF_ERROR(ValidateNamespaceName(request.list_records().namespace_()));
      return CheckListRecords(request.list_records());
    case StoreRequest::OPERATION_NOT_SET:
      break;
  }
  return FieldError("operation", "is not set");
}

absl::Status ValidateItemTypes(const v1::MutateRequest& request, internal::v1::ItemType type,
                               MutationForm form) {
  for (int i = 0; i < request.changes_size(); ++i) {
    const v1::Change& change = request.changes(i);
    absl::string_view field;
    absl::string_view holds;
    switch (type) {
      case internal::v1::ITEM_TYPE_COUNTER:
        holds = "counters, which are changed by add and delete";
        break;
      case internal::v1::ITEM_TYPE_SET:
        holds = "sets, which are changed by set and delete";
        break;
      default:
        holds = "registers, which are changed by put and delete";
    }
    if (change.has_put() &&
        (type == internal::v1::ITEM_TYPE_COUNTER || type == internal::v1::ITEM_TYPE_SET)) {
      field = "put";
    } else if (change.has_add() && type != internal::v1::ITEM_TYPE_COUNTER) {
      field = "add";
    } else if (change.has_set() && type != internal::v1::ITEM_TYPE_SET) {
      field = "set";
    } else {
      continue;
    }
    const std::string name = ChangeField(form, i, field);
    return MakeError(absl::StatusCode::kInvalidArgument, reason::kItemTypeWrong,
                     absl::StrCat(name, ": namespace '", request.namespace_(), "' has ", holds),
                     {{"field", name}, {"type", std::string(ItemTypeName(type))}});
  }
  return absl::OkStatus();
}

absl::string_view ItemTypeName(internal::v1::ItemType type) {
  switch (type) {
    case internal::v1::ITEM_TYPE_COUNTER:
      return "counter";
    case internal::v1::ITEM_TYPE_SET:
      return "set";
    default:
      return "register";
  }
}

#undef HP_RETURN_IF_ERROR

}  // namespace homeport
