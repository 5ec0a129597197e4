# Written from the text of the OpenFeature specification, version 0.8, sections 1 and 2. Each tag @req-... is one of its requirements.
Feature: Flags are evaluated

  Background:
    Given a ready provider

  @req-1.3.1.1 @req-1.3.3.1
  Scenario Outline: A flag of each type has its value
    When the <type> flag "<key>" is evaluated with the default <default>
    Then the value is <value>

    Examples:
      | type    | key           | default  | value                               |
      | boolean | flags.enabled | false    | true                                |
      | boolean | flags.paused  | true     | false                               |
      | string  | flags.title   | "none"   | "Welcome"                           |
      | string  | flags.empty   | "none"   | ""                                  |
      | integer | flags.limit   | 1        | 10                                  |
      | integer | flags.none    | 1        | 0                                   |
      | float   | flags.ratio   | 0.1      | 0.5                                 |
      | object  | flags.theme   | {}       | {"colour": "red", "sizes": [1, 2]}  |
      | object  | flags.list    | []       | ["a", "b"]                          |

  @req-1.4.1.1 @req-1.4.3 @req-1.4.5 @req-1.4.6 @req-2.2.3 @req-2.2.4
  Scenario Outline: Details have key, value and variant
    When the details of the <type> flag "<key>" are evaluated with the default <default>
    Then the value is <value>
    And the key is "<key>"
    And the variant is "on"

    Examples:
      | type    | key           | default | value                               |
      | boolean | flags.enabled | false   | true                                |
      | string  | flags.title   | "none"  | "Welcome"                           |
      | integer | flags.limit   | 1       | 10                                  |
      | float   | flags.ratio   | 0.1     | 0.5                                 |
      | object  | flags.theme   | {}      | {"colour": "red", "sizes": [1, 2]}  |

  @req-1.4.7 @req-2.2.5
  Scenario: The reason is that of the provider
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the reason is one that the provider may give
    And the reason is not "ERROR"

  @req-2.2.6 @req-2.3.2
  Scenario: What went well has no error
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then there is no error

  @req-1.4.14 @req-2.2.9 @req-2.2.10
  Scenario: Metadata of the flag is passed on, and is simple
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the metadata has entries, of booleans, numbers and text alone

  @req-1.4.15.1 @provider
  Scenario: Metadata cannot be changed
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the metadata refuses to be changed

  @req-1.4.8 @req-1.4.9 @req-1.4.10 @req-1.4.13 @req-2.2.7
  Scenario Outline: A flag that is not there gives the default, and says so
    When the details of the <type> flag "flags.nothing" are evaluated with the default <default>
    Then the value is <default>
    And the reason is "ERROR"
    And the error code is "FLAG_NOT_FOUND"
    And the error message has words

    Examples:
      | type    | default    |
      | boolean | true       |
      | string  | "none"     |
      | integer | 7          |
      | float   | 0.25       |
      | object  | {"no": 1}  |

  # The openfeature-sdk leaves the wrong value in place where it is awaited: a provider has to look itself.
  @req-1.3.4 @req-1.4.8 @req-1.4.9 @not-in-memory-async
  Scenario Outline: A flag of another type gives the default, and says so
    When the details of the <type> flag "<key>" are evaluated with the default <default>
    Then the value is <default>
    And the reason is "ERROR"
    And the error code is "TYPE_MISMATCH"

    Examples:
      | type    | key           | default   |
      | boolean | flags.title   | true      |
      | boolean | flags.limit   | true      |
      | boolean | flags.none    | true      |
      | boolean | flags.theme   | true      |
      | string  | flags.enabled | "none"    |
      | string  | flags.limit   | "none"    |
      | string  | flags.theme   | "none"    |
      | integer | flags.title   | 7         |
      | integer | flags.ratio   | 7         |
      | integer | flags.theme   | 7         |
      | float   | flags.title   | 0.25      |
      | float   | flags.enabled | 0.25      |
      | object  | flags.title   | {"no": 1} |
      | object  | flags.enabled | {"no": 1} |
      | object  | flags.limit   | {"no": 1} |

  # The openfeature-sdk itself takes True for an integer, as Python does.
  @req-1.3.4 @provider
  Scenario: A boolean is no integer
    When the details of the integer flag "flags.enabled" are evaluated with the default 7
    Then the value is 7
    And the error code is "TYPE_MISMATCH"

  @req-1.3.3.1 @provider
  Scenario: A whole number is a float, too, where one is asked for
    When the details of the float flag "flags.limit" are evaluated with the default 0.25
    Then the value is 10.0
    And there is no error

  @req-2.2.1
  Scenario Outline: What the context says decides
    When the details of the string flag "member.greeting" are evaluated with the default "none" and the attribute "member" as "<member>"
    Then the value is "<value>"
    And the variant is "<variant>"

    Examples:
      | member | value   | variant |
      | gold   | Hi gold | gold    |
      | silver | Hi all  | all     |

  # The provider in memory has a value for everybody.
  @req-1.4.10 @req-2.2.7 @provider
  Scenario: Whoever is in no audience gets the default
    When the details of the string flag "closed.greeting" are evaluated with the default "none" and the attribute "member" as "no"
    Then the value is "none"

  @req-1.4.8 @req-1.4.10 @req-2.2.7
  Scenario Outline: A provider that breaks gives the default, and nothing is raised
    Given the provider breaks with <what>
    When the details of the <type> flag "flags.enabled" are evaluated with the default <default>
    Then the value is <default>
    And the reason is "ERROR"
    And the error code is "<code>"

    Examples:
      | what                | type    | default  | code            |
      | an error of its own | boolean | false    | GENERAL         |
      | an error of its own | object  | {}       | GENERAL         |
      | InvalidContextError | string  | "none"   | INVALID_CONTEXT |
      | ParseError          | integer | 7        | PARSE_ERROR     |
      | FlagNotFoundError   | float   | 0.25     | FLAG_NOT_FOUND  |

  @req-1.4.8 @req-2.2.7 @provider
  Scenario: An offer that cannot be read is said to be one
    When the details of the boolean flag "broken.enabled" are evaluated with the default true
    Then the value is true
    And the error code is "PARSE_ERROR"

  @req-1.4.8 @req-2.2.7 @provider
  Scenario: A context that cannot be sent is said to be one
    When the details of the boolean flag "flags.enabled" are evaluated with the default false and the attribute "page_url" as 5
    Then the value is false
    And the error code is "INVALID_CONTEXT"
    And the error message has words

  @req-1.4.8 @req-1.4.9 @server-side
  Scenario: A server that fails gives the default
    Given the server fails
    When the details of the boolean flag "flags.enabled" are evaluated with the default true
    Then the value is true
    And the reason is "ERROR"
    And the error code is "GENERAL"
    And the error message has words

  @req-2.2.5 @on-device
  Scenario Outline: The reason says what decided
    When the details of the string flag "<key>" are evaluated with the default "none" and the attribute "member" as "gold"
    Then the reason is "<reason>"

    Examples:
      | key             | reason          |
      | member.greeting | TARGETING_MATCH |
      | checkout.flow   | SPLIT           |

  @req-1.5.1
  Scenario: Hooks of an evaluation run for it
    Given a hook of the invocation
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the hooks ran in the order
      | stage   | hook       |
      | before  | invocation |
      | after   | invocation |
      | finally | invocation |
