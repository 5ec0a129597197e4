# Written from the text of the OpenFeature specification, version 0.8, section 4.
Feature: Hooks run around each evaluation

  Background:
    Given a ready provider

  @req-4.4.1 @req-4.4.2 @req-4.3.2.1 @req-4.3.6 @req-4.3.8 @req-2.3.1
  Scenario: Hooks of all levels run in the order of the specification
    Given hooks of the API, the client, the invocation and the provider
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the value is true
    And the hooks ran in the order
      | stage   | hook       |
      | before  | API        |
      | before  | client     |
      | before  | invocation |
      | before  | provider   |
      | after   | provider   |
      | after   | invocation |
      | after   | client     |
      | after   | API        |
      | finally | provider   |
      | finally | invocation |
      | finally | client     |
      | finally | API        |

  @req-4.4.2 @req-4.3.7
  Scenario Outline: What goes wrong is told in the order of the specification
    Given hooks of the API, the client, the invocation and the provider
    When the details of the <type> flag "<key>" are evaluated with the default <default>
    Then the value is <default>
    And the hooks ran in the order
      | stage   | hook       |
      | before  | API        |
      | before  | client     |
      | before  | invocation |
      | before  | provider   |
      | error   | provider   |
      | error   | invocation |
      | error   | client     |
      | error   | API        |
      | finally | provider   |
      | finally | invocation |
      | finally | client     |
      | finally | API        |

    Examples:
      | type    | key           | default |
      | boolean | flags.nothing | true    |

    @not-in-memory-async
    Examples:
      | type    | key           | default |
      | boolean | flags.title   | true    |
      | integer | flags.ratio   | 7       |

  @req-1.1.4 @req-1.2.1
  Scenario: Hooks that are added later come after those that are there
    Given the hook "first" of the API
    And the hook "second" of the API
    And the hook "third" of the client
    And the hook "fourth" of the client
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the stage "before" ran for first, second, third, fourth

  @req-4.1.1 @req-4.1.2
  Scenario: A hook is told what is evaluated
    Given a hook of the invocation
    When the details of the string flag "flags.title" are evaluated with the default "none" and the attribute "member" as "gold"
    Then the hook was told the key "flags.title", the type "STRING" and the default "none"
    And the hook was told the attribute "member" as "gold"
    And the hook was told the names of client and provider

  @req-4.1.3
  Scenario Outline: A hook cannot change what is evaluated
    Given a hook of the invocation that sets "<what>"
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the value is false
    And the error code is "GENERAL"

    Examples:
      | what          |
      | flag_key      |
      | flag_type     |
      | default_value |

  @req-4.3.6
  Scenario: The stage after is told what came out
    Given a hook of the invocation
    When the details of the string flag "flags.title" are evaluated with the default "none"
    Then the stage "after" was told the value "Welcome" and the variant "on"
    And the stage "finally" was told the value "Welcome" and the variant "on"

  @req-4.3.7
  Scenario: The stage error is told what went wrong
    Given a hook of the invocation
    When the details of the boolean flag "flags.nothing" are evaluated with the default true
    Then the stage "error" was told a "FlagNotFoundError"

  @req-4.4.5 @req-4.4.6 @req-4.4.7
  Scenario: A hook that fails before ends the evaluation with the default
    Given hooks of the API, the client, the invocation and the provider
    And the hook "client" fails in the stage "before"
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the value is false
    And the reason is "ERROR"
    And the hooks ran in the order
      | stage   | hook       |
      | before  | API        |
      | before  | client     |
      | error   | provider   |
      | error   | invocation |
      | error   | client     |
      | error   | API        |
      | finally | provider   |
      | finally | invocation |
      | finally | client     |
      | finally | API        |

  @req-4.4.5 @req-4.4.6
  Scenario: A hook that fails after is told of, and ends that stage
    Given hooks of the API, the client, the invocation and the provider
    And the hook "invocation" fails in the stage "after"
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the reason is "ERROR"
    And the stage "after" ran for provider, invocation
    And the stage "error" ran for provider, invocation, client, API
    And the stage "finally" ran for provider, invocation, client, API

  @req-4.4.3 @req-4.4.4
  Scenario Outline: A hook that fails in the last stages harms nothing
    Given hooks of the API, the client, the invocation and the provider
    And the hook "provider" fails in the stage "<stage>"
    When the details of the boolean flag "<key>" are evaluated with the default true
    Then the value is true
    And the stage "<stage>" ran for provider, invocation, client, API

    Examples:
      | stage   | key           |
      | finally | flags.enabled |
      | error   | flags.nothing |

  @req-4.5.1 @req-4.5.2
  Scenario: Hints reach every stage
    Given a hook of the invocation
    And the hint "side" as "onions"
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then every stage was told the hint "side" as "onions"

  @req-4.6.1
  Scenario: What a hook keeps is its own, from stage to stage
    Given a hook of the invocation that keeps what stage it was in
    And a hook of the client that keeps what stage it was in
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then each hook found what it kept itself

  @req-4.3.5
  Scenario: What hooks add reaches the provider
    Given a hook of the invocation that adds the attribute "member" as "gold"
    When the details of the string flag "member.greeting" are evaluated with the default "none"
    Then the value is "Hi gold"

  # The openfeature-sdk gives every hook the context as it was before the first.
  @req-4.3.4 @not-by-the-sdk
  Scenario: What one hook adds is told to the next
    Given a hook of the client that adds the attribute "member" as "gold"
    And a hook of the invocation
    When the details of the string flag "member.greeting" are evaluated with the default "none"
    Then the hook was told the attribute "member" as "gold"
