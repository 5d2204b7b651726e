// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface Token {
    function transfer(address to, uint256 value) external;
    function transferFrom(address from, address to, uint256 value) external;
}

/// Odd, hostile and merely unusual things that a watcher must read correctly. Every function can be called
/// by anybody. It is a token as well as a caller of tokens: point a watched asset at it to feed the watcher
/// malformed logs from the right address.
contract Mischief {
    bytes32 private constant TRANSFER = keccak256("Transfer(address,address,uint256)");

    event Transfer(address indexed from, address indexed to, uint256 value);

    receive() external payable {}

    // --- logs with the Transfer topic that are no clean ERC-20 transfer ----------------------------------

    function logClean(address from, address to, uint256 value) external {
        emit Transfer(from, to, value);
    }

    /// Several clean logs to one address in one transaction.
    function logMany(address from, address to, uint256 value, uint256 count) external {
        for (uint256 i = 0; i < count; i++) emit Transfer(from, to, value);
    }

    /// Four topics and no data, as ERC-721 has it.
    function logFourTopics(address from, address to, uint256 tokenId) external {
        logRaw(word(from), word(to), bytes32(tokenId), 4, "");
    }

    /// Two topics: the receiver is in the data.
    function logTwoTopics(address from, address to, uint256 value) external {
        logRaw(word(from), 0, 0, 2, abi.encode(to, value));
    }

    /// Only the event's topic; everything else in the data, as some early tokens have it.
    function logOneTopic(address from, address to, uint256 value) external {
        logRaw(0, 0, 0, 1, abi.encode(from, to, value));
    }

    function logNoData(address from, address to) external {
        logRaw(word(from), word(to), 0, 3, "");
    }

    /// 31 bytes: the value's first byte is missing.
    function logShortData(address from, address to, uint248 value) external {
        logRaw(word(from), word(to), 0, 3, abi.encodePacked(value));
    }

    /// 64 bytes: the value and a word that nobody asked for.
    function logLongData(address from, address to, uint256 value) external {
        logRaw(word(from), word(to), 0, 3, abi.encode(value, type(uint256).max));
    }

    /// The upper twelve bytes of both address topics are not zero.
    function logDirtyTopics(address from, address to, uint256 value) external {
        bytes32 dirt = bytes32(uint256(type(uint96).max) << 160);
        logRaw(word(from) | dirt, word(to) | dirt, 0, 3, abi.encode(value));
    }

    function logRaw(bytes32 a, bytes32 b, bytes32 c, uint256 topics, bytes memory data) private {
        bytes32 id = TRANSFER;
        assembly {
            let at := add(data, 32)
            let size := mload(data)
            switch topics
            case 1 { log1(at, size, id) }
            case 2 { log2(at, size, id, a) }
            case 3 { log3(at, size, id, a, b) }
            default { log4(at, size, id, a, b, c) }
        }
    }

    function word(address a) private pure returns (bytes32) {
        return bytes32(uint256(uint160(a)));
    }

    // --- token calls --------------------------------------------------------------------------------------

    /// Says no, without an event and without reverting.
    function transfer(address, uint256) external pure returns (bool) {
        return false;
    }

    /// One transaction, one token, many receivers. Pays from this contract's own balance.
    function batch(address token, address[] calldata to, uint256[] calldata values) external {
        for (uint256 i = 0; i < to.length; i++) Token(token).transfer(to[i], values[i]);
    }

    /// The poison of address books: a zero-value transferFrom needs no allowance.
    function poison(address token, address from, address[] calldata to) external {
        for (uint256 i = 0; i < to.length; i++) Token(token).transferFrom(from, to[i], 0);
    }

    /// Logs a Transfer of its own and calls the real token in the same transaction.
    function logAndTransfer(address token, address to, uint256 logged, uint256 moved) external {
        emit Transfer(msg.sender, to, logged);
        Token(token).transfer(to, moved);
    }

    /// Moves the token, then reverts everything.
    function transferAndRevert(address token, address to, uint256 value) public {
        Token(token).transfer(to, value);
        revert("changed my mind");
    }

    /// Moves the token in an inner call that reverts; the transaction itself succeeds.
    function transferInRevertedCall(address token, address to, uint256 value) external {
        try this.transferAndRevert(token, to, value) {} catch {}
    }

    // --- ether --------------------------------------------------------------------------------------------

    function forward(address payable to) external payable {
        send(to, msg.value);
    }

    /// Two internal credits to one address in one transaction.
    function forwardInHalves(address payable to) external payable {
        send(to, msg.value / 2);
        send(to, msg.value - msg.value / 2);
    }

    function forwardToMany(address payable[] calldata to) external payable {
        for (uint256 i = 0; i < to.length; i++) send(to[i], msg.value / to.length);
    }

    function forwardAndRevert(address payable to) public payable {
        send(to, msg.value);
        revert("changed my mind");
    }

    /// The inner call that pays is reverted; the transaction succeeds and the ether stays here.
    function forwardInRevertedCall(address payable to) external payable {
        try this.forwardAndRevert{value: msg.value}(to) {} catch {}
    }

    /// A DELEGATECALL shows the outer value in traces, yet moves nothing to its target.
    function delegateTo(address target) external payable {
        (bool ok,) = target.delegatecall("");
        require(ok);
    }

    /// Credits `to` by SELFDESTRUCT of a contract made in the same transaction.
    function destructTo(address payable to) external payable {
        new Destruct{value: msg.value}(to);
    }

    /// A contract is created with ether in it: its address is credited, without any `to`.
    function createWith() external payable returns (address) {
        return address(new Purse{value: msg.value}());
    }

    function send(address payable to, uint256 value) private {
        (bool ok,) = to.call{value: value}("");
        require(ok, "the receiver refuses");
    }
}

contract Destruct {
    constructor(address payable to) payable {
        selfdestruct(to);
    }
}

contract Purse {
    constructor() payable {}
}
