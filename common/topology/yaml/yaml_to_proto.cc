#include "common/topology/yaml/yaml_to_proto.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/base/check.h"
#include "common/topology/option_ranges.h"
#include "common/topology/yaml/suggestion.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"

namespace homeport {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::EnumDescriptor;
using ::google::protobuf::EnumValueDescriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", text, "\""); }

// The value as a message may show it.
std::string Show(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return Quoted(node.text);
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a group of fields";
  }
  return "";
}

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates) {
  const std::string nearest = NearestWord(word, candidates);
  return nearest.empty() ? "" : absl::StrCat("; did you mean ", Quoted(nearest), "?");
}

// "any_region" for WRITE_MODE_ANY_REGION: without what stands before UNSPECIFIED in the zero value.
std::string WordOf(const EnumValueDescriptor& value) {
  absl::string_view prefix = value.type()->FindValueByNumber(0)->name();
  absl::ConsumeSuffix(&prefix, "UNSPECIFIED");
  return absl::AsciiStrToLower(absl::StripPrefix(value.name(), prefix));
}

std::optional<uint64_t> ParseBytes(absl::string_view text) {
  static constexpr struct {
    absl::string_view suffix;
    int shift;
  } kUnits[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  int shift = 0;
  for (const auto& unit : kUnits) {
    if (absl::ConsumeSuffix(&text, unit.suffix)) {
      shift = unit.shift;
      text = absl::StripTrailingAsciiWhitespace(text);
      break;
    }
  }
  uint64_t number = 0;
  if (text.empty() || !absl::ascii_isdigit(text[0]) || !absl::SimpleAtoi(text, &number) ||
      number > (std::numeric_limits<uint64_t>::max() >> shift)) {
    return std::nullopt;
  }
  return number << shift;
}

class Converter {
 public:
  YamlConversion Run(const YamlNode& root, Message& message) {
    FillMessage(root, "", message);
    return std::move(result_);
  }

 private:
  void Add(int line, const std::string& path, std::string what) {
    result_.problems.push_back({line, path, std::move(what)});
    result_.not_understood.insert(path);
  }

  // False when aliases blow the document up: then nothing more is converted.
  bool Count(const YamlNode& node) {
    if (++visited_ == kExpandedNodesMax + 1) {
      Add(node.line, "",
          absl::StrCat("the file has more than ", kExpandedNodesMax,
                       " values once its aliases are written out"));
    }
    return visited_ <= kExpandedNodesMax;
  }

  void FillMessage(const YamlNode& node, const std::string& path, Message& message) {
    if (node.kind != YamlNode::Kind::kMap) {
      Add(node.line, path, absl::StrCat("must have fields of its own, and is ", Show(node)));
      return;
    }
    absl::flat_hash_map<std::string, int> seen;
    for (const auto& [key, value] : node.entries) {
      if (!Count(*key)) return;
      if (key->kind != YamlNode::Kind::kScalar) {
        Add(key->line, path, absl::StrCat("a field's name must be a word, and is ", Show(*key)));
        continue;
      }
      const std::string field_path = path.empty() ? key->text : absl::StrCat(path, ".", key->text);
      const auto [first, fresh] = seen.emplace(key->text, key->line);
      if (!fresh) {
        Add(key->line, field_path, absl::StrCat("stands twice; first in line ", first->second));
        continue;
      }
      const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(key->text);
      if (field == nullptr) {
        AddUnknown(*message.GetDescriptor(), *key, path, field_path);
        continue;
      }
      result_.lines[field_path] = key->line;
      FillField(*value, field_path, *field, key->line, message);
    }
  }

  void AddUnknown(const Descriptor& descriptor, const YamlNode& key, const std::string& path,
                  const std::string& field_path) {
    std::vector<std::string> names;
    for (int i = 0; i < descriptor.field_count(); ++i) names.push_back(descriptor.field(i)->name());
    const std::string nearest = NearestWord(key.text, names);
    Add(key.line, field_path,
        absl::StrCat("there is no such field",
                     nearest.empty() ? absl::StrCat("; there are ", absl::StrJoin(names, ", "))
                                     : DidYouMean(key.text, names)));
    if (!nearest.empty()) {
      result_.not_understood.insert(path.empty() ? nearest : absl::StrCat(path, ".", nearest));
    }
  }

  void FillField(const YamlNode& node, const std::string& path, const FieldDescriptor& field,
                 int line, Message& message) {
    HP_CHECK(!field.is_map());
    if (!Count(node)) return;
    if (node.kind == YamlNode::Kind::kNull) {
      Add(line, path, "has no value; give one or leave the line out");
      return;
    }
    if (!field.is_repeated()) {
      FillValue(node, path, field, line, message);
      return;
    }
    if (node.kind != YamlNode::Kind::kList) {
      Add(line, path, absl::StrCat("must be a list, and is ", Show(node)));
      return;
    }
    for (size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = *node.items[i];
      if (!Count(item)) return;
      const std::string item_path = absl::StrCat(path, "[", i, "]");
      result_.lines[item_path] = item.line;
      FillValue(item, item_path, field, item.line, message);
    }
  }

  // Sets a single field or adds an item to a repeated one. An item is added also when it is not
  // understood.
  void FillValue(const YamlNode& node, const std::string& path, const FieldDescriptor& field,
                 int line, Message& message) {
    const Reflection& reflection = *message.GetReflection();
    const bool repeated = field.is_repeated();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (field.message_type() == google::protobuf::Duration::descriptor()) {
        const std::optional<absl::Duration> value = ReadDuration(node, path, line);
        if (!value && !repeated) return;
        Message* duration = repeated ? reflection.AddMessage(&message, &field)
                                     : reflection.MutableMessage(&message, &field);
        ToProtoDuration(value.value_or(absl::ZeroDuration()),
                        static_cast<google::protobuf::Duration&>(*duration));
        return;
      }
      FillMessage(node, path,
                  repeated ? *reflection.AddMessage(&message, &field)
                           : *reflection.MutableMessage(&message, &field));
      return;
    }
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        Put(ReadText(node, path, line), std::string(), repeated, [&](std::string value) {
          repeated ? reflection.AddString(&message, &field, std::move(value))
                   : reflection.SetString(&message, &field, std::move(value));
        });
        return;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        Put(ReadDouble(node, path, line), 0.0, repeated, [&](double value) {
          repeated ? reflection.AddDouble(&message, &field, value)
                   : reflection.SetDouble(&message, &field, value);
        });
        return;
      case FieldDescriptor::CPPTYPE_BOOL:
        Put(ReadBool(node, path, line), false, repeated, [&](bool value) {
          repeated ? reflection.AddBool(&message, &field, value)
                   : reflection.SetBool(&message, &field, value);
        });
        return;
      case FieldDescriptor::CPPTYPE_UINT32:
        Put(ReadInteger<uint32_t>(node, path, field, line), 0u, repeated, [&](uint32_t value) {
          repeated ? reflection.AddUInt32(&message, &field, value)
                   : reflection.SetUInt32(&message, &field, value);
        });
        return;
      case FieldDescriptor::CPPTYPE_UINT64:
        Put(ReadInteger<uint64_t>(node, path, field, line), uint64_t{0}, repeated,
            [&](uint64_t value) {
              repeated ? reflection.AddUInt64(&message, &field, value)
                       : reflection.SetUInt64(&message, &field, value);
            });
        return;
      case FieldDescriptor::CPPTYPE_INT32:
        Put(ReadInteger<int32_t>(node, path, field, line), 0, repeated, [&](int32_t value) {
          repeated ? reflection.AddInt32(&message, &field, value)
                   : reflection.SetInt32(&message, &field, value);
        });
        return;
      case FieldDescriptor::CPPTYPE_INT64:
        Put(ReadInteger<int64_t>(node, path, field, line), int64_t{0}, repeated,
            [&](int64_t value) {
              repeated ? reflection.AddInt64(&message, &field, value)
                       : reflection.SetInt64(&message, &field, value);
            });
        return;
      case FieldDescriptor::CPPTYPE_ENUM:
        Put(ReadEnum(node, path, *field.enum_type(), line), 0, repeated, [&](int value) {
          repeated ? reflection.AddEnumValue(&message, &field, value)
                   : reflection.SetEnumValue(&message, &field, value);
        });
        return;
      default:
        HP_CHECK(false);  // float and groups: the schema has none
    }
  }

  template <typename T, typename Setter>
  static void Put(std::optional<T> value, T placeholder, bool repeated, const Setter& set) {
    if (value) {
      set(*std::move(value));
    } else if (repeated) {
      set(std::move(placeholder));
    }
  }

  std::optional<std::string> ReadText(const YamlNode& node, const std::string& path, int line) {
    if (node.kind == YamlNode::Kind::kScalar) return node.text;
    Add(line, path, absl::StrCat("must be a text, and is ", Show(node)));
    return std::nullopt;
  }

  std::optional<double> ReadDouble(const YamlNode& node, const std::string& path, int line) {
    double value = 0;
    if (IsPlain(node) && absl::SimpleAtod(node.text, &value) && std::isfinite(value)) return value;
    Add(line, path, absl::StrCat("must be a number, and is ", Show(node)));
    return std::nullopt;
  }

  std::optional<bool> ReadBool(const YamlNode& node, const std::string& path, int line) {
    if (IsPlain(node) && node.text == "true") return true;
    if (IsPlain(node) && node.text == "false") return false;
    Add(line, path, absl::StrCat("must be true or false, and is ", Show(node)));
    return std::nullopt;
  }

  template <typename T>
  std::optional<T> ReadInteger(const YamlNode& node, const std::string& path,
                               const FieldDescriptor& field, int line) {
    if (IsSize(field.name())) {
      if (node.kind == YamlNode::Kind::kScalar) {
        const std::optional<uint64_t> bytes = ParseBytes(node.text);
        if (bytes && *bytes <= static_cast<uint64_t>(std::numeric_limits<T>::max())) {
          return static_cast<T>(*bytes);
        }
      }
      Add(line, path,
          absl::StrCat("must be a size such as 65536, 64KiB or 1GiB, and is ", Show(node)));
      return std::nullopt;
    }
    T value = 0;
    if (IsPlain(node) && absl::SimpleAtoi(node.text, &value)) return value;
    Add(line, path,
        absl::StrCat("must be a whole number from ", std::numeric_limits<T>::min(), " to ",
                     std::numeric_limits<T>::max(), ", and is ", Show(node)));
    return std::nullopt;
  }

  std::optional<absl::Duration> ReadDuration(const YamlNode& node, const std::string& path,
                                             int line) {
    absl::Duration value;
    if (node.kind == YamlNode::Kind::kScalar && absl::ParseDuration(node.text, &value) &&
        value < absl::InfiniteDuration() && value > -absl::InfiniteDuration()) {
      return value;
    }
    Add(line, path,
        absl::StrCat("must be a time with its unit, such as 150ms, 2s or 10m, and is ",
                     Show(node)));
    return std::nullopt;
  }

  std::optional<int> ReadEnum(const YamlNode& node, const std::string& path,
                              const EnumDescriptor& type, int line) {
    std::vector<std::string> words;
    for (int i = 0; i < type.value_count(); ++i) {
      if (type.value(i)->number() == 0) continue;
      words.push_back(WordOf(*type.value(i)));
      if (node.kind == YamlNode::Kind::kScalar && node.text == words.back()) {
        return type.value(i)->number();
      }
    }
    Add(line, path,
        absl::StrCat("must be ", words.size() > 1 ? "one of " : "", absl::StrJoin(words, ", "),
                     ", and is ", Show(node), DidYouMean(node.text, words)));
    return std::nullopt;
  }

  static bool IsPlain(const YamlNode& node) {
    return node.kind == YamlNode::Kind::kScalar && !node.quoted;
  }

  YamlConversion result_;
  int visited_ = 0;
};

}  // namespace

YamlConversion YamlToProto(const YamlNode& root, Message& message) {
  return Converter().Run(root, message);
}

}  // namespace homeport
